package evaluator

import "math"

// z95 is the two-sided 95% quantile of the normal distribution.
const z95 = 1.959963984540054

// AccuracyInterval returns the bounds within which the accuracy on all images of a kind lies with 95% confidence, if it is this on some of them, drawn at random
// (Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927). They are 0 and 1 for no images.
func AccuracyInterval(accuracy float64, images int) (low, high float64) {
	if images <= 0 {
		return 0, 1
	}
	n := float64(images)
	middle := (accuracy + z95*z95/(2*n)) / (1 + z95*z95/n)
	half := z95 / (1 + z95*z95/n) * math.Sqrt(accuracy*(1-accuracy)/n+z95*z95/(4*n*n))
	return max(middle-half, 0), min(middle+half, 1)
}

// AccuracyError returns how far chance moves an accuracy on so many images at most, either way, with 95% confidence: z·sqrt(1/4n), that of an accuracy of one half.
func AccuracyError(images int) float64 { return z95 / math.Sqrt(4*float64(max(images, 1))) }

// FewImages is the number of images below which chance may move an accuracy by more than five points; see [AccuracyError].
const FewImages = 385
