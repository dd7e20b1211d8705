package main

// trainingMemory returns how many bytes each of a number of trainings that run at the same time may plan: four fifths of
// the memory together, the rest is for images and the program itself. 0 means that it is not known.
func trainingMemory(trainings int) int64 {
	return totalMemory() / 5 * 4 / int64(max(trainings, 1))
}
