"""The networks that nasbench measures, in PyTorch.

Modules are made in the order in which nasbench makes its parameters, so that weights are handed over one by one. What differs from common
code of these networks makes them faster here: the operation "none" of a DARTS mixture is left out instead of multiplied by zero, and
the alphas of the DARTS supernet have no gradient, because its training step is that of the weights.
"""
import torch
from torch import nn
from torch.nn import functional as F


def conv_norm(cin, cout, kernel, stride=1, affine=True):
    return nn.Sequential(
        nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(cout, affine=affine))


def small_cnn(classes):
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, classes))


class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        same = stride == 1 and cin == cout
        self.shortcut = nn.Identity() if same else conv_norm(cin, cout, 1, stride)
        self.body = nn.Sequential(conv_norm(cin, cout, 3, stride), nn.ReLU(), conv_norm(cout, cout, 3))

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


def classifier(channels, classes):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def resnet8(classes):
    return nn.Sequential(
        conv_norm(1, 16, 3), nn.ReLU(),
        BasicBlock(16, 16, 1), BasicBlock(16, 32, 2), BasicBlock(32, 64, 2), classifier(64, classes))


def relu_conv_norm(cin, cout, kernel, stride=1):
    return nn.Sequential(nn.ReLU(), conv_norm(cin, cout, kernel, stride))


class DenseCell(nn.Module):
    """All edges of a NAS-Bench-201 cell are ReLU, 3x3 convolution, batch norm."""

    def __init__(self, channels):
        super().__init__()
        self.nodes = nn.ModuleList(
            nn.ModuleList(relu_conv_norm(channels, channels, 3) for _ in range(n + 1)) for n in range(3))

    def forward(self, x):
        states = [x]
        for edges in self.nodes:
            states.append(sum(edge(s) for edge, s in zip(edges, states)))
        return states[-1]


class Reduction(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.body = nn.Sequential(relu_conv_norm(cin, cout, 3, 2), relu_conv_norm(cout, cout, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(cin, cout, 1, bias=False))

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def nb201_dense(classes):
    return nn.Sequential(
        conv_norm(1, 16, 3), DenseCell(16), Reduction(16, 32), DenseCell(32), Reduction(32, 64), DenseCell(64),
        nn.BatchNorm2d(64), nn.ReLU(), classifier(64, classes))


class FactorizedReduce(nn.Module):
    def __init__(self, cin, cout, affine):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout // 2, 1, 2, bias=False)
        self.conv2 = nn.Conv2d(cin, cout - cout // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(cout, affine=affine)

    def forward(self, x):
        x = F.relu(x)
        shifted = x[:, :, 1:, 1:]
        if x.shape[2] % 2:
            shifted = F.pad(shifted, (0, 1, 0, 1))
        return self.norm(torch.cat([self.conv1(x), self.conv2(shifted)], 1))


def depthwise(channels, kernel, stride, dilation, affine):
    pad = dilation * (kernel // 2)
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(channels, channels, kernel, stride, pad, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels, affine=affine))


def operation(name, channels, stride, affine):
    """An operation of the DARTS space. Pools have a norm behind them where they are mixed with others."""
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine)
    if name.endswith("_pool_3x3"):
        pool = nn.MaxPool2d(3, stride, 1) if name.startswith("max") else nn.AvgPool2d(3, stride, 1, count_include_pad=False)
        return pool if affine else nn.Sequential(pool, nn.BatchNorm2d(channels, affine=False))
    kernel = int(name[-1])
    if name.startswith("dil"):
        return depthwise(channels, kernel, stride, 2, affine)
    return nn.Sequential(depthwise(channels, kernel, stride, 1, affine), depthwise(channels, kernel, 1, 1, affine))


OPERATIONS = ["max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"]
DARTS_V2 = {
    False: [("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1),
            ("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2)],
    True: [("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1),
           ("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1)],
}


class Mixture(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.operations = nn.ModuleList(operation(name, channels, stride, False) for name in OPERATIONS)

    def forward(self, x, weights):
        return sum(w * op(x) for w, op in zip(weights, self.operations))


class Cell(nn.Module):
    def __init__(self, before, last, channels, reduction, reduced_before, relaxed):
        super().__init__()
        self.relaxed = relaxed
        self.pre0 = FactorizedReduce(before, channels, True) if reduced_before else relu_conv_norm(before, channels, 1)
        self.pre1 = relu_conv_norm(last, channels, 1)
        stride = lambda state: 2 if reduction and state < 2 else 1
        if relaxed:
            self.edges = nn.ModuleList(Mixture(channels, stride(s)) for node in range(4) for s in range(node + 2))
        else:
            self.sources = [s for _, s in DARTS_V2[reduction]]
            self.edges = nn.ModuleList(operation(name, channels, stride(s), True) for name, s in DARTS_V2[reduction])

    def forward(self, before, last, weights):
        states = [self.pre0(before), self.pre1(last)]
        first = 0
        for node in range(4):
            if self.relaxed:
                n = len(states)
                states.append(sum(self.edges[first + i](states[i], weights[first + i]) for i in range(n)))
                first += n
            else:
                pair = range(2 * node, 2 * node + 2)
                states.append(sum(self.edges[i](states[self.sources[i]]) for i in pair))
        return torch.cat(states[2:], 1)


class Darts(nn.Module):
    """4 cells of 8 channels, of which the second and the third are reduction cells."""

    def __init__(self, classes, relaxed):
        super().__init__()
        if relaxed:  # 14 edges of the normal cell, then as many of the reduction cell; the first column is that of "none"
            self.alphas = nn.Parameter(torch.zeros(28, len(OPERATIONS) + 1), requires_grad=False)
        channels, cells = 8, 4
        self.stem = conv_norm(1, 3 * channels, 3)
        before = last = 3 * channels
        self.cells = nn.ModuleList()
        reduced_before = False
        for i in range(cells):
            reduction = i in (cells // 3, 2 * cells // 3)
            if reduction:
                channels *= 2
            self.cells.append(Cell(before, last, channels, reduction, reduced_before, relaxed))
            before, last, reduced_before = last, 4 * channels, reduction
        self.reductions = [i in (cells // 3, 2 * cells // 3) for i in range(cells)]
        self.head = classifier(last, classes)
        self.relaxed = relaxed

    def forward(self, x):
        weights = [None, None]
        if self.relaxed:
            shares = F.softmax(self.alphas, 1)[:, 1:]
            weights = [shares[:14], shares[14:]]
        before = last = self.stem(x)
        for cell, reduction in zip(self.cells, self.reductions):
            before, last = last, cell(before, last, weights[reduction])
        return self.head(last)


class SeedMixture(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.alphas = nn.Parameter(torch.zeros(5))
        self.operations = nn.ModuleList([
            nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, channels, 5, padding=2),
            nn.MaxPool2d(3, 1, 1), nn.Identity(), nn.Conv2d(channels, channels, 1)])

    def forward(self, x):
        return sum(w * op(x) for w, op in zip(F.softmax(self.alphas, 0), self.operations))


class SeedCell(nn.Module):
    def __init__(self, cin, channels, nodes):
        super().__init__()
        self.pre = nn.Identity() if cin == channels else nn.Conv2d(cin, channels, 1)
        self.nodes = nn.ModuleList(nn.ModuleList(SeedMixture(channels) for _ in range(n + 1)) for n in range(nodes))

    def forward(self, x):
        states = [self.pre(x)]
        for edges in self.nodes:
            states.append(sum(edge(s) for edge, s in zip(edges, states)))
        return torch.cat(states[1:], 1)


def seed_cell(classes, cells=8, channels=16, nodes=4):
    wide = nodes * channels
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, padding=1),
        *(SeedCell(channels if i == 0 else wide, channels, nodes) for i in range(cells)), classifier(wide, classes))


NETWORKS = {
    "small-cnn": small_cnn,
    "resnet8": resnet8,
    "nb201-dense": nb201_dense,
    "darts-v2": lambda classes: Darts(classes, False),
    "darts-supernet": lambda classes: Darts(classes, True),
    "seed-cell": seed_cell,
}
