"""Writes models.json: loss and gradient norms of the first training steps of bench models, computed by PyTorch in float64.

Use: python3 make_golden.py  (numpy and PyTorch; the file was made with PyTorch 1.13.1)

Weights and images come from the integer hash below, which golden_test.go computes too, so that no weights need to be stored. Weights
are hashed in the layout of this repository: convolutions R x S x C x K, linear layers in x out.
"""

import json
import zlib

import numpy as np
import torch
import torch.nn.functional as F

MASK = np.uint64(0xFFFFFFFF)


def uniform(name, n):
    """n numbers in [-1, 1)."""
    h = (np.arange(n, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(zlib.crc32(name.encode()))) & MASK
    h ^= h >> np.uint64(15)
    h = (h * np.uint64(2246822519)) & MASK
    h ^= h >> np.uint64(13)
    h = (h * np.uint64(3266489917)) & MASK
    h ^= h >> np.uint64(16)
    return h.astype(np.float64) / 2.0**31 - 1


class Params(dict):
    """Parameters by name, made when they are first asked for."""

    def get(self, name, *shape):
        if name not in self:
            v = uniform(name, int(np.prod(shape))).reshape(shape)
            if name.endswith(".alpha"):
                v = 0.5 * v
            elif name.endswith(".bias"):
                v = 0.1 * v
            elif name.endswith("norm.weight"):
                v = 1 + 0.1 * v
            else:
                v = v * np.sqrt(3.0 / np.prod(shape[:-1]))
            # What the program holds is float32.
            self[name] = torch.tensor(v.astype(np.float32).astype(np.float64), requires_grad=True)
        return self[name]

    def conv(self, name, x, out, kernel, stride=1, bias=False):
        w = self.get(name + ".weight", kernel, kernel, x.shape[1], out).permute(3, 2, 0, 1)
        b = self.get(name + ".bias", out) if bias else None
        return F.conv2d(x, w, b, stride, kernel // 2)

    def norm(self, name, x):
        c = x.shape[1]
        return F.batch_norm(x, None, None, self.get(name + ".weight", c), self.get(name + ".bias", c), True, 0.1, 1e-5)

    def linear(self, name, x, out):
        return x @ self.get(name + ".weight", x.shape[1], out) + self.get(name + ".bias", out)


def resnet8(p, x):
    def conv_norm(name, x, out, kernel, stride):
        return p.norm(name + ".norm", p.conv(name + ".conv", x, out, kernel, stride))

    x = F.relu(conv_norm("stem", x, 16, 3, 1))
    for name, out, stride in (("block1", 16, 1), ("block2", 32, 2), ("block3", 64, 2)):
        y = F.relu(conv_norm(name + ".body1", x, out, 3, stride))
        y = conv_norm(name + ".body2", y, out, 3, 1)
        if stride != 1:
            x = conv_norm(name + ".shortcut", x, out, 1, stride)
        x = F.relu(y + x)
    return p.linear("head", x.mean((2, 3)), 10)


def seed_cell(p, x):
    def mixed(name, x):
        w = F.softmax(p.get(name + ".alpha", 5), 0)
        ops = (
            p.conv(name + ".conv3x3", x, 16, 3, bias=True),
            p.conv(name + ".conv5x5", x, 16, 5, bias=True),
            F.max_pool2d(x, 3, 1, 1),
            x,
            p.conv(name + ".fc", x, 16, 1, bias=True),
        )
        return sum(w[i] * y for i, y in enumerate(ops))

    x = p.conv("stem", x, 16, 3, bias=True)
    for i in range(8):
        cell = f"cells.{i}"
        states = [x if x.shape[1] == 16 else p.conv(cell + ".pre", x, 16, 1, bias=True)]
        for j in range(4):
            states.append(sum(mixed(f"{cell}.node{j}.from{k}", s) for k, s in enumerate(states)))
        x = torch.cat(states[1:], 1)
    return p.linear("head", x.mean((2, 3)), 10)


def group(name):
    """The part of a name whose gradients are one norm: its first two elements."""
    return ".".join(name.split(".")[:2])


def train(model, shape, rate, steps=3):
    p, velocity, out = Params(), {}, []
    images = uniform("images", int(np.prod(shape))).reshape(shape).astype(np.float32).astype(np.float64)
    x = torch.tensor(images).permute(0, 3, 1, 2)
    y = torch.tensor([i * 7 % 10 for i in range(shape[0])])
    for _ in range(steps):
        loss = F.cross_entropy(model(p, x), y)
        names = list(p)
        grads = torch.autograd.grad(loss, [p[n] for n in names])
        norms = {}
        for n, g in zip(names, grads):
            norms[group(n)] = norms.get(group(n), 0.0) + float((g * g).sum())
            velocity[n] = 0.9 * velocity.get(n, 0) + g
            p[n] = (p[n] - rate * velocity[n]).detach().requires_grad_()
        out.append({"loss": loss.item(), "norms": {k: float(np.sqrt(v)) for k, v in sorted(norms.items())}})
    return {"shape": shape, "rate": rate, "steps": out}


torch.set_default_dtype(torch.float64)
golden = {
    "resnet8": train(resnet8, [16, 28, 28, 1], 0.05),
    "seed-cell": train(seed_cell, [3, 12, 12, 3], 0.025),
}
with open("models.json", "w") as f:
    json.dump(golden, f, indent=1, sort_keys=True)
    f.write("\n")
