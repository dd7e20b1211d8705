"""Writes a trained network of nasbench as an ONNX model, with Debian's python3-onnx.

Use: write.py NETWORK BATCH WEIGHTS.safetensors OUT.onnx

The network is resnet8 or darts-v2, over 28x28 images of one channel. Every tensor of the weights file is used once; one that is
missing or left over is an error. Batch norms stay nodes of their own, which onnxruntime folds into the convolutions when it loads the model.
"""
import os
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from weights import read_weights


class Writer:
    """Adds nodes one by one. Values are named by a number."""

    def __init__(self, weights):
        self.weights, self.used = weights, set()
        self.nodes, self.initializers, self.values = [], [], 0

    def take(self, name, axes=None):
        """Makes a weight an initializer and returns its name."""
        if name in self.used:
            raise ValueError("%s is used twice" % name)
        self.used.add(name)
        w = self.weights[name]
        if axes:
            w = w.transpose(axes)
        self.initializers.append(numpy_helper.from_array(numpy.ascontiguousarray(w), name))
        return name

    def constant(self, numbers):
        name = "constant%d" % len(self.initializers)
        self.initializers.append(numpy_helper.from_array(numpy.array(numbers, numpy.int64), name))
        return name

    def add(self, kind, *inputs, **attributes):
        self.values += 1
        out = "v%d" % self.values
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def conv(self, x, path, stride=1, dilation=1):
        kernel, _, inputs, outputs = self.weights[path + ".weight"].shape
        groups = outputs if inputs == 1 and kernel > 1 and path != "stem.conv" else 1
        pad = dilation * (kernel // 2)
        return self.add("Conv", x, self.take(path + ".weight", (3, 2, 0, 1)), kernel_shape=[kernel] * 2,
                        strides=[stride] * 2, pads=[pad] * 4, dilations=[dilation] * 2, group=groups)

    def norm(self, x, path):
        names = [self.take("%s.%s" % (path, part)) for part in ("weight", "bias", "running_mean", "running_var")]
        return self.add("BatchNormalization", x, *names, epsilon=1e-5)

    def relu(self, x):
        return self.add("Relu", x)

    def sum(self, a, b):
        return self.add("Add", a, b)

    def head(self, x):
        x = self.add("Flatten", self.add("GlobalAveragePool", x), axis=1)
        return self.add("Gemm", x, self.take("head.weight"), self.take("head.bias"))


def resnet8(w, x):
    conv_norm = lambda x, path, stride=1: w.norm(w.conv(x, path + ".conv", stride), path + ".norm")
    x = w.relu(conv_norm(x, "stem"))
    for block, stride in (("block1", 1), ("block2", 2), ("block3", 2)):
        shortcut = conv_norm(x, block + ".shortcut", stride) if stride > 1 else x
        y = w.relu(conv_norm(x, block + ".body1", stride))
        x = w.relu(w.sum(conv_norm(y, block + ".body2"), shortcut))
    return w.head(x)


NORMAL = [("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1),
          ("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2)]
REDUCE = [("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1),
          ("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1)]


def factorized_reduce(w, x, path, side):
    x = w.relu(x)
    y = x
    if side % 2:  # so that both halves have the same size
        y = w.add("Pad", y, w.constant([0, 0, 0, 0, 0, 0, 1, 1]))
    shifted = w.add("Slice", y, w.constant([1, 1]), w.constant([side + side % 2] * 2), w.constant([2, 3]))
    both = w.add("Concat", w.conv(x, path + ".conv1", 2), w.conv(shifted, path + ".conv2", 2), axis=1)
    return w.norm(both, path + ".norm")


def depthwise(w, x, path, suffix, stride, dilation=1):
    x = w.conv(w.relu(x), "%s.depthwise%s" % (path, suffix), stride, dilation)
    return w.norm(w.conv(x, "%s.pointwise%s" % (path, suffix)), "%s.norm%s" % (path, suffix))


def operation(w, x, name, path, stride, side):
    if name == "skip_connect":
        return x if stride == 1 else factorized_reduce(w, x, path, side)
    if name == "max_pool_3x3":
        return w.add("MaxPool", x, kernel_shape=[3, 3], strides=[stride] * 2, pads=[1] * 4)
    if name.startswith("dil"):
        return depthwise(w, x, path, "", stride, 2)
    return depthwise(w, depthwise(w, x, path, "1", stride), path, "2", 1)


def darts_v2(w, x, cells=4, side=28):
    x = w.norm(w.conv(x, "stem.conv"), "stem.norm")
    before = last = x
    sides = [side, side]  # of before and last
    for i in range(cells):
        path = "cells.%d." % i
        reduction = i in (cells // 3, 2 * cells // 3)
        if sides[0] != sides[1]:
            states = [factorized_reduce(w, before, path + "pre0", sides[0])]
        else:
            states = [w.norm(w.conv(w.relu(before), path + "pre0.conv"), path + "pre0.norm")]
        states.append(w.norm(w.conv(w.relu(last), path + "pre1.conv"), path + "pre1.norm"))
        for node in range(4):
            terms = []
            for edge in range(2):
                name, source = (REDUCE if reduction else NORMAL)[2 * node + edge]
                stride = 2 if reduction and source < 2 else 1
                terms.append(operation(w, states[source], name, "%snode%d.edge%d" % (path, node, edge), stride, sides[1]))
            states.append(w.sum(*terms))
        before, last = last, w.add("Concat", *states[2:], axis=1)
        sides = [sides[1], (sides[1] + 1) // 2 if reduction else sides[1]]
    return w.head(last)


def main():
    network, batch, weights, out = sys.argv[1:]
    w = Writer(dict(read_weights(weights)))
    logits = {"resnet8": resnet8, "darts-v2": darts_v2}[network](w, "images")
    left = sorted(set(w.weights) - w.used)
    if left:
        raise ValueError("%d tensors are not used, %s among them" % (len(left), left[0]))
    image = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    classes = w.weights["head.bias"].shape[0]
    graph = helper.make_graph(w.nodes, network, [image("images", [int(batch), 1, 28, 28])],
                              [image(logits, [int(batch), classes])], w.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    onnx.checker.check_model(model)
    onnx.save(model, out)


main()
