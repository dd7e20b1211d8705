"""Measures PyTorch on request, with the protocol of ../onednn/peer.c. Images are channels last."""
import sys
import time

import torch


def convolution(shape, part):
    n, c, h, k, r, stride, groups, dilation = map(int, shape.split(","))
    pad = dilation * (r // 2)
    x = torch.rand(n, c, h, h).contiguous(memory_format=torch.channels_last)
    w = torch.rand(k, c // groups, r, r).contiguous(memory_format=torch.channels_last)
    forward = lambda: torch.nn.functional.conv2d(x, w, None, stride, pad, dilation, groups)
    if part == "fwd":
        return forward
    dy = torch.rand_like(forward())
    mask = [part == "bwd-data", part == "bwd-weights", False]
    pair = lambda v: [v, v]
    return lambda: torch.ops.aten.convolution_backward(
        dy, x, w, None, pair(stride), pair(pad), pair(dilation), False, [0, 0], groups, mask)


def product(shape, part):
    m, n, k = map(int, shape.split("x"))
    a = torch.rand(k, m).t() if part == "bwd-weights" else torch.rand(m, k)
    b = torch.rand(n, k).t() if part == "bwd-data" else torch.rand(k, n)
    c = torch.empty(m, n)
    return lambda: torch.mm(a, b, out=c)


def pooling(shape, part):
    kind, *numbers = shape.split(",")
    n, c, h, r, stride = map(int, numbers)
    pad = (r - 1) // 2
    x = torch.rand(n, c, h, h).contiguous(memory_format=torch.channels_last)
    ops = torch.ops.aten
    if kind == "max":
        forward = lambda: ops.max_pool2d_with_indices(x, [r, r], [stride, stride], [pad, pad], [1, 1], False)
        y, indices = forward()
        dy = torch.rand_like(y)
        backward = lambda: ops.max_pool2d_with_indices_backward(
            dy, x, [r, r], [stride, stride], [pad, pad], [1, 1], False, indices)
    else:
        forward = lambda: ops.avg_pool2d(x, [r, r], [stride, stride], [pad, pad], False, False)
        dy = torch.rand_like(forward())
        backward = lambda: ops.avg_pool2d_backward(dy, x, [r, r], [stride, stride], [pad, pad], False, False, None)
    return forward if part == "fwd" else backward


def norm(shape, part):
    n, c, h = map(int, shape.split(","))
    x = torch.rand(n, c, h, h).contiguous(memory_format=torch.channels_last)
    weight, bias, mean, variance = torch.rand(c), torch.rand(c), torch.zeros(c), torch.ones(c)
    forward = lambda: torch.ops.aten.native_batch_norm(x, weight, bias, mean, variance, True, 0.1, 1e-5)
    if part == "fwd":
        return forward
    y, saved_mean, saved_deviation = forward()
    dy = torch.rand_like(y)
    return lambda: torch.ops.aten.native_batch_norm_backward(
        dy, x, weight, mean, variance, saved_mean, saved_deviation, True, 1e-5, [True, True, True])


def measure(run, length):
    run()
    start = time.perf_counter()
    run()
    once = time.perf_counter() - start
    if once > length:  # one run is a measurement
        return once
    batch = 1
    while once * batch < min(length, 0.005) / 2:
        batch *= 2
    for _ in range(batch):
        run()
    total, runs = 0.0, 0
    while runs < 2 or total < length:
        start = time.perf_counter()
        for _ in range(batch):
            run()
        total += time.perf_counter() - start
        runs += batch
    return total / runs


def main():
    torch.set_num_threads(int(sys.argv[1]))
    kinds = {"gemm": product, "conv": convolution, "depthwise": convolution, "pool": pooling, "norm": norm}
    with torch.no_grad():
        for line in sys.stdin:
            if line == "version\n":
                print("PyTorch " + torch.__version__, flush=True)
                continue
            kind, shape, part, milliseconds = line.split()
            if kind not in kinds:
                print("!none", flush=True)
                continue
            try:
                print("%.1f" % (1e9 * measure(kinds[kind](shape, part), 1e-3 * float(milliseconds))), flush=True)
            except RuntimeError as problem:
                print("!" + str(problem).splitlines()[0], flush=True)


main()
