package kernels

// genericTable returns the table of plain Go routines. Every other table starts as
// a copy of it.
func genericTable() *Table {
	return &Table{
		Level: Generic,

		GEMM:        genericGEMM,
		GEMMScratch: genericGEMMScratch,
		GEMMAdd:     genericGEMMAdd,
		PackGEMM:    genericPackGEMM,
		PackedGEMM:  genericPackedGEMM,

		ConvForward:         genericConvForward,
		ConvForwardAdd:      genericConvForwardAdd,
		PackConv:            genericPackConv,
		PackedConv:          genericPackedConv,
		ConvBackwardData:    genericConvBackwardData,
		ConvBackwardWeights: genericConvBackwardWeights,
		ConvScratch:         genericConvScratch,

		MaxPoolForward:  genericMaxPoolForward,
		MaxPoolBackward: genericMaxPoolBackward,
		AvgPoolForward:  genericAvgPoolForward,
		AvgPoolBackward: genericAvgPoolBackward,

		ChannelMoments:     genericChannelMoments,
		Normalize:          genericNormalize,
		NormalizeReLU:      genericNormalizeReLU,
		NormalizeAdd:       genericNormalizeAdd,
		NormalizeAddReLU:   genericNormalizeAddReLU,
		NormalizeRows:      genericNormalizeRows,
		ChannelSum:         genericChannelSum,
		ChannelDot:         genericChannelDot,
		ChannelCombine:     genericChannelCombine,
		ChannelDotReLU:     genericChannelDotReLU,
		ChannelCombineReLU: genericChannelCombineReLU,
		AddRow:             genericAddRow,

		Activate: [NumActivations]func(dst, x []float32){
			ReLU:      genericReLU,
			ReLU6:     genericReLU6,
			Sigmoid:   genericSigmoid,
			SiLU:      genericSiLU,
			HardSwish: genericHardSwish,
			Exp:       genericExp,
		},
		ActivateGrad: [NumActivations]func(dst, dy, x []float32){
			ReLU:      genericReLUGrad,
			ReLU6:     genericReLU6Grad,
			Sigmoid:   genericSigmoidGrad,
			SiLU:      genericSiLUGrad,
			HardSwish: genericHardSwishGrad,
			Exp:       genericExpGrad,
		},

		Add:  genericAdd,
		Sub:  genericSub,
		Mul:  genericMul,
		Div:  genericDiv,
		Axpy: genericAxpy,
		Scal: genericScal,
		Lerp: genericLerp,
		WSum: genericWSum,
		Mask: genericMask,

		CopyRows: genericCopyRows,

		Sum:        genericSum,
		Dot:        genericDot,
		SumSquares: genericSumSquares,

		Softmax:          genericSoftmax,
		SoftmaxGrad:      genericSoftmaxGrad,
		LogSoftmax:       genericLogSoftmax,
		LogSoftmaxGrad:   genericLogSoftmaxGrad,
		CrossEntropy:     genericCrossEntropy,
		CrossEntropyGrad: genericCrossEntropyGrad,

		SGD:   genericSGD,
		AdamW: genericAdamW,

		Bytes: genericBytes,

		FMALoop: genericFMALoop,
	}
}
