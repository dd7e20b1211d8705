"""Prints the metadata and tensors of a safetensors file. Standard library only."""

import json
import struct
import sys

with open(sys.argv[1], "rb") as f:
    raw = f.read()
(length,) = struct.unpack_from("<Q", raw)
assert raw[8:9] == b"{" and (8 + length) % 8 == 0
header = json.loads(raw[8 : 8 + length])
data = raw[8 + length :]
for key, value in sorted(header.pop("__metadata__", {}).items()):
    print(f"metadata {key}={value}")
for name, t in sorted(header.items()):
    lo, hi = t["data_offsets"]
    assert t["dtype"] == "F32"
    print(name, t["shape"], *struct.unpack(f"<{(hi - lo) // 4}f", data[lo:hi]))
