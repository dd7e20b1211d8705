"""Trains a network in PyTorch, step by step on request.

Use: train.py NETWORK LAYOUT BATCH THREADS CLASSES RATE DECAY CLIP FOLDER SHAPE

LAYOUT is nchw or channels-last, SHAPE that of the images, HxWxC. FOLDER has images.f32 and labels.f32, little-endian numbers, images channels last,
and weights.safetensors, the weights in the order of nasbench. Requests on standard input, one a line, each answered by a line:

    version     name and version
    parameters  how many numbers are trained
    check       the loss of the first batch with the weights of the file; makes a step
    run MS      nanoseconds of each step, of as many as fit into this many milliseconds, but at least one
"""
import os
import sys
import time

import numpy
import torch
from torch.nn import functional as F

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from networks import NETWORKS
from weights import read_weights


def hand_over(net, weights):
    """Copies weights into the parameters, one by one; buffers but for the alphas stay as they are."""
    weights = [(name, w) for name, w in weights if not name.endswith((".running_mean", ".running_var"))]
    parameters = list(net.named_parameters())
    if len(weights) != len(parameters):
        raise ValueError("%d tensors for %d parameters" % (len(weights), len(parameters)))
    for (theirs, w), (name, p) in zip(weights, parameters):
        w = torch.from_numpy(w.copy())
        if w.dim() == 4:
            w = w.permute(3, 2, 0, 1)
        elif w.dim() == 2 and name != "alphas":
            if w.shape[0] == 32 * 7 * 7:  # the images of small-cnn are flattened channels first here
                w = w.reshape(7, 7, 32, -1).permute(2, 0, 1, 3).reshape(w.shape)
            w = w.t()
        if w.shape != p.shape:
            raise ValueError("%s is %s, %s %s" % (theirs, tuple(w.shape), name, tuple(p.shape)))
        p.data.copy_(w)


class Training:
    def __init__(self, network, layout, batch, classes, rate, decay, clip, folder, shape):
        height, width, channels = map(int, shape.split("x"))
        read = lambda name: torch.from_numpy(numpy.fromfile(os.path.join(folder, name), "<f4"))
        self.images = read("images.f32").reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        self.labels = read("labels.f32").long()
        self.net = NETWORKS[network](classes)
        hand_over(self.net, read_weights(os.path.join(folder, "weights.safetensors")))
        if layout == "channels-last":
            self.net = self.net.to(memory_format=torch.channels_last)
            self.images = self.images.contiguous(memory_format=torch.channels_last)
        else:
            self.images = self.images.contiguous()
        self.batch, self.next, self.clip = batch, 0, clip
        self.trained = [p for p in self.net.parameters() if p.requires_grad]
        groups = [{"params": [p for p in self.trained if p.dim() > 1], "weight_decay": decay},
                  {"params": [p for p in self.trained if p.dim() <= 1]}]
        self.optimizer = torch.optim.SGD(groups, rate, momentum=0.9)

    def step(self):
        at = self.next
        self.next += self.batch
        if self.next + self.batch > len(self.labels):
            self.next = 0
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.net(self.images[at:at + self.batch]), self.labels[at:at + self.batch])
        loss.backward()
        if self.clip > 0:
            torch.nn.utils.clip_grad_norm_(self.trained, self.clip)
        self.optimizer.step()
        return loss

    def run(self, milliseconds):
        times = []
        start = time.perf_counter_ns()
        while not times or time.perf_counter_ns() - start < 1e6 * milliseconds:
            before = time.perf_counter_ns()
            self.step()
            times.append(time.perf_counter_ns() - before)
        return times


def blas():
    """Which library does the matrix products of Debian's package."""
    try:
        with open("/proc/self/maps") as maps:
            paths = {line.split()[-1] for line in maps if "blas" in line}
    except OSError:
        return ""
    return ", ".join(sorted({"/".join(p.split("/")[-2:]) for p in paths}))


def main():
    network, layout, batch, threads, classes, rate, decay, clip, folder, shape = sys.argv[1:]
    torch.set_num_threads(int(threads))
    training = Training(network, layout, int(batch), int(classes), float(rate), float(decay), float(clip), folder, shape)
    for line in sys.stdin:
        request = line.split()
        if request[0] == "version":
            answer = "PyTorch %s with %s" % (torch.__version__, blas() or "a BLAS of its own")
        elif request[0] == "parameters":
            answer = sum(p.numel() for p in training.trained)
        elif request[0] == "check":
            answer = "%.9g" % training.step().item()
        elif request[0] == "run":
            answer = " ".join(map(str, training.run(float(request[1]))))
        else:
            answer = "!" + line.strip()
        print(answer, flush=True)


main()
