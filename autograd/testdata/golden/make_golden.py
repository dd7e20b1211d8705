#!/usr/bin/env python3
"""Writes golden.json: outputs and gradients of the main operations as PyTorch computes them.

Needs PyTorch (Debian: apt-get install python3-torch; made with version 1.13.1). Use:

    /usr/bin/python3 make_golden.py > golden.json

Each case holds its inputs, the output and the gradients of sum(output * weights) for every input, all in
the layout of this project: images N x H x W x C, kernels R x S x C/groups x K, linear weights in x out.
PyTorch runs in double precision on values that are exact in single precision; results are rounded at the end.
"""
import json, sys
import torch
import torch.nn.functional as F

torch.manual_seed(20)
cases = []


def rand(*dims):
    """Values with few bits, so that they are exact in float32 and short in the file."""
    return (torch.randn(dims, dtype=torch.float64) * 32).round() / 32


def image(x):  # NHWC -> NCHW
    return x.permute(0, 3, 1, 2)


def kernel(w):  # HWIO -> OIHW
    return w.permute(3, 2, 0, 1)


def nhwc(y):
    return y.permute(0, 2, 3, 1) if y.dim() == 4 else y


def flat(t):
    return {"shape": list(t.shape), "data": [float("%.8g" % v) for v in t.detach().contiguous().flatten().tolist()]}


def case(name, f, *inputs, labels=None):
    inputs = [x.clone().requires_grad_() for x in inputs]
    y = nhwc(f(*inputs))
    weights = rand(*y.shape)
    (y * weights).sum().backward()
    c = {"name": name, "inputs": [flat(x) for x in inputs], "weights": flat(weights), "output": flat(y),
         "grads": [flat(x.grad) for x in inputs]}
    if labels is not None:
        c["labels"] = flat(labels)
    cases.append(c)


def conv(name, x, w, **o):
    case(name, lambda x, w: F.conv2d(image(x), kernel(w), **o), rand(*x), rand(*w))


conv("conv2d 3x3 padding 1", (2, 6, 5, 3), (3, 3, 3, 4), padding=1)
conv("conv2d 5x5 stride 2 padding 2", (1, 9, 8, 2), (5, 5, 2, 3), padding=2, stride=2)
conv("conv2d 3x3 dilation 2 padding 2", (1, 7, 8, 3), (3, 3, 3, 2), padding=2, dilation=2)
conv("conv2d 1x1 stride 2", (2, 5, 5, 4), (1, 1, 4, 3), stride=2)
conv("conv2d groups 2", (1, 5, 5, 4), (3, 3, 2, 6), padding=1, groups=2)
conv("conv2d depthwise 5x5 stride 2", (2, 8, 7, 3), (5, 5, 1, 3), padding=2, stride=2, groups=3)

case("linear", lambda x, w, b: x @ w + b, rand(4, 6), rand(6, 3), rand(3))


def norm(training):
    def f(x, gamma, beta):
        mean, var = torch.full((4,), 0.25, dtype=torch.float64), torch.full((4,), 1.5, dtype=torch.float64)
        y = F.batch_norm(image(x), mean, var, gamma, beta, training, 0.1, 1e-5)
        if training:
            stats["mean"], stats["var"] = flat(mean), flat(var)
        return y
    return f


stats = {}
case("batch_norm training", norm(True), rand(3, 4, 5, 4), rand(4), rand(4))
cases[-1]["running"] = [stats["mean"], stats["var"]]
case("batch_norm inference", norm(False), rand(2, 3, 3, 4), rand(4), rand(4))

spaced = (torch.randperm(2 * 7 * 6 * 3).double() / 16 - 8).reshape(2, 7, 6, 3)
case("max_pool2d 3x3 stride 2", lambda x: F.max_pool2d(image(x), 3, 2, 1), spaced)
case("avg_pool2d 3x3 stride 2", lambda x: F.avg_pool2d(image(x), 3, 2, 1, count_include_pad=False), spaced)
case("global_avg_pool", lambda x: F.adaptive_avg_pool2d(image(x), 1).flatten(1), rand(2, 4, 3, 5))

line = torch.arange(-32, 32).double() / 4 + 1 / 16
for name, f in [("relu", F.relu), ("relu6", F.relu6), ("sigmoid", torch.sigmoid), ("silu", F.silu), ("hard_swish", F.hardswish)]:
    case(name, f, line)

case("softmax", lambda x: F.softmax(x, -1), rand(4, 6))
case("log_softmax", lambda x: F.log_softmax(x, -1), rand(4, 6))
labels = torch.tensor([3, 0, 2, 2, 1])
for s in (0.0, 0.1):
    case("cross_entropy smoothing %g" % s, lambda x: F.cross_entropy(x, labels, label_smoothing=s), rand(5, 4) * 3, labels=labels.double())
case("mean_squared_error", F.mse_loss, rand(3, 4), rand(3, 4))
case("weighted_sum", lambda w, a, b, c: w[0] * a + w[1] * b + w[2] * c, rand(3), rand(2, 3), rand(2, 3), rand(2, 3))

# A small network: convolution, batch norm, ReLU, pooling, linear.
case("network", lambda x, w, gamma, beta, head: F.max_pool2d(F.relu(F.batch_norm(
    F.conv2d(image(x), kernel(w), padding=1), None, None, gamma, beta, True)), 2).permute(0, 2, 3, 1).flatten(1) @ head,
    rand(3, 6, 6, 2), rand(3, 3, 2, 4), rand(4), rand(4), rand(36, 5))

json.dump(cases, sys.stdout, separators=(",", ":"))
