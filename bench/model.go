package bench

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/darts"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/tensor"
)

// Model is a network of fixed shape that is measured.
type Model struct {
	Name  string
	Input tensor.Shape // of one batch: N x H x W x C
	Build func(s layers.Scope, classes int) (layers.Module, error)

	WeightDecay, ClipNorm float64 // of its training step; usually 0
}

// GenomeModel returns the network of a genome for batches of a shape that fits the space's task.
func GenomeModel(sp space.Space, g space.Genome, input tensor.Shape) Model {
	return Model{Name: g.String(), Input: input, Build: func(s layers.Scope, _ int) (layers.Module, error) { return sp.Build(g, s) }}
}

// sound makes a constructor that cannot fail fit a [Model].
func sound(f func(layers.Scope, int) layers.Module) func(layers.Scope, int) (layers.Module, error) {
	return func(s layers.Scope, classes int) (layers.Module, error) { return f(s, classes), nil }
}

// Models returns the networks that are measured.
func Models() []Model {
	return []Model{
		{Name: "small-cnn", Input: tensor.Shape{128, 28, 28, 1}, Build: sound(SmallCNN)},
		{Name: "resnet8", Input: tensor.Shape{128, 28, 28, 1}, Build: sound(ResNet8)},
		{Name: "nb201-dense", Input: tensor.Shape{128, 28, 28, 1}, Build: sound(NB201Dense)},
		{Name: "darts-v2", Input: tensor.Shape{128, 28, 28, 1}, Build: DartsV2},
		{Name: "darts-supernet", Input: tensor.Shape{64, 28, 28, 1}, Build: DartsSupernet, WeightDecay: 3e-4, ClipNorm: 5},
		{Name: "seed-cell", Input: tensor.Shape{64, 32, 32, 3}, Build: sound(SeedCell)},
	}
}

// FindModel returns the model of a name in [Models].
func FindModel(name string) (Model, error) {
	all := Models()
	i := slices.IndexFunc(all, func(m Model) bool { return m.Name == name })
	if i < 0 {
		return Model{}, fmt.Errorf("bench: there is no model %q", name)
	}
	return all[i], nil
}

// dartsV2 is the second genotype that the paper found on CIFAR-10.
const dartsV2 = "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], " +
	"reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"

// DartsV2 is the genotype DARTS_V2 (Liu, Simonyan and Yang 2019) in 4 cells of 8 channels over 28x28x1 images.
func DartsV2(s layers.Scope, classes int) (layers.Module, error) {
	sp, err := smallDarts(classes)
	if err != nil {
		return nil, err
	}
	g, err := sp.Parse(dartsV2)
	if err != nil {
		return nil, err
	}
	return sp.Build(g, s)
}

// DartsSupernet is the network that a search by DARTS trains in the same 4 cells of 8 channels: the mixture of all eight operations on all 14 edges of both
// kinds of cell, none among them, each but the identity with a batch norm. Its training step is that of the weights, with the alphas fixed near zero; what
// nasbench adds to the paper's mixtures, the auxiliary skips, is left out.
func DartsSupernet(s layers.Scope, classes int) (layers.Module, error) {
	o := darts.Defaults()
	var err error
	if o.Space, err = smallDarts(classes); err != nil {
		return nil, err
	}
	o.Size, o.AuxiliarySkip = smallDartsSize, false
	return darts.Mixture(s, o)
}

var smallDartsSize = space.Size{Channels: 8, Cells: 4} // never changed

func smallDarts(classes int) (space.Space, error) {
	task := space.Task{Height: 28, Width: 28, Channels: 1, Classes: classes}
	return space.NewSized("darts", task, space.Constraints{MaxChannels: -1}, smallDartsSize)
}

// SmallCNN is a convolution to 16 channels, ReLU, 2x2 max pool, a convolution to 32, ReLU, 2x2 max pool and a linear
// classifier over 28x28x1 images.
func SmallCNN(s layers.Scope, classes int) layers.Module {
	same := layers.ConvOptions{Padding: 1}
	half := layers.MaxPool{Window: 2, Stride: 2}
	return layers.Sequential{
		layers.NewConv2D(s.Sub("conv1"), 1, 16, 3, same), layers.ReLU(), half,
		layers.NewConv2D(s.Sub("conv2"), 16, 32, 3, same), layers.ReLU(), half,
		layers.Flatten{}, layers.NewLinear(s.Sub("head"), 7*7*32, classes),
	}
}

// ResNet8 is a residual network (He et al. 2016) of a stem and three basic blocks with 16, 32 and 64 channels over images of one channel.
func ResNet8(s layers.Scope, classes int) layers.Module {
	model := layers.Sequential{convNorm(s.Sub("stem"), 1, 16, 3, 1), layers.ReLU()}
	in := 16
	for i, out := range []int{16, 32, 64} {
		stride := 2
		if i == 0 {
			stride = 1
		}
		model = append(model, basicBlock(s.Sub([]string{"block1", "block2", "block3"}[i]), in, out, stride))
		in = out
	}
	return append(model, layers.GlobalAvgPool{}, layers.NewLinear(s.Sub("head"), in, classes))
}

func convNorm(s layers.Scope, in, out, kernel, stride int) layers.Module {
	return layers.Sequential{
		layers.NewConv2D(s.Sub("conv"), in, out, kernel, layers.ConvOptions{Stride: stride, Padding: kernel / 2, NoBias: true}),
		layers.NewBatchNorm(s.Sub("norm"), out),
	}
}

func basicBlock(s layers.Scope, in, out, stride int) layers.Module {
	var shortcut layers.Module = layers.Identity{}
	if stride != 1 || in != out {
		shortcut = convNorm(s.Sub("shortcut"), in, out, 1, stride)
	}
	body := layers.Sequential{
		convNorm(s.Sub("body1"), in, out, 3, stride), layers.ReLU(),
		convNorm(s.Sub("body2"), out, out, 3, 1),
	}
	return layers.Sequential{layers.Residual{Body: body, Shortcut: shortcut}, layers.ReLU()}
}

// Stack is a residual network of blocks of one width over 28x28x1 images that nothing makes smaller, so that its work is proportional to the blocks and
// nearly so to the square of the width.
func Stack(blocks, channels int) Model {
	build := func(s layers.Scope, classes int) layers.Module {
		model := layers.Sequential{convNorm(s.Sub("stem"), 1, channels, 3, 1), layers.ReLU()}
		for i := range blocks {
			model = append(model, basicBlock(s.Sub("block"+strconv.Itoa(i)), channels, channels, 1))
		}
		return append(model, layers.GlobalAvgPool{}, layers.NewLinear(s.Sub("head"), channels, classes))
	}
	return Model{Name: fmt.Sprintf("stack-%dx%d", blocks, channels), Input: tensor.Shape{16, 28, 28, 1}, Build: sound(build)}
}
