"""Reads the safetensors files that nasbench writes."""
import json

import numpy


def read_weights(path):
    """Returns name and array of each tensor, in the order of the file."""
    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        data = f.read()
    header.pop("__metadata__", None)
    out = []
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        out.append((name, numpy.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])))
    return out
