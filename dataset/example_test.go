package dataset_test

import (
	"fmt"
	"log"

	"github.com/nasbench-go/nasbench/dataset"
)

// A search trains on one part of the train split and compares on the other.
func Example() {
	d, err := dataset.Open(dataset.Default, dataset.Options{})
	if err != nil {
		log.Fatal(err)
	}
	train, validation, err := dataset.SplitStratified(d.Train(), 0.2, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(train.Len(), validation.Len(), "images of", train.Height, "x", train.Width, "x", train.Channels)

	loader, err := dataset.NewLoader(train, dataset.LoaderOptions{
		Batch: 64, Seed: 1, Shuffle: true, DropLast: true,
		Stats:   dataset.Measure(train),
		Augment: dataset.Augment{Pad: 2, Flip: true},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer loader.Close()
	for epoch := range 2 {
		loader.Start(epoch)
		batches := 0
		for {
			images, labels, n, ok := loader.Next()
			if !ok {
				break
			}
			if batches == 0 {
				fmt.Println("epoch", epoch, "first batch:", n, "images,", len(images), "values,", len(labels), "labels")
			}
			batches++
		}
		fmt.Println("epoch", epoch, "batches:", batches)
	}
	// Output:
	// 8000 2000 images of 28 x 28 x 1
	// epoch 0 first batch: 64 images, 50176 values, 64 labels
	// epoch 0 batches: 125
	// epoch 1 first batch: 64 images, 50176 values, 64 labels
	// epoch 1 batches: 125
}

func ExampleList() {
	for _, info := range dataset.List() {
		fmt.Printf("%-18s  %s\n", info.Name, info.Title)
	}
	// Output:
	// fashion-mnist-mini  part of Fashion-MNIST, embedded: grey 28x28 pictures of clothes
	// fashion-mnist       Fashion-MNIST: grey 28x28 pictures of clothes
	// mnist               MNIST: grey 28x28 handwritten digits
	// cifar10             CIFAR-10: colour 32x32 photographs of animals and vehicles
	// digits              any CSV file of flattened images with a label column
	// images              a folder with one subfolder of pictures per class
}

func ExampleOpen_unknown() {
	_, err := dataset.Open("imagenet", dataset.Options{})
	fmt.Println(err)
	// Output: unknown data set "imagenet"; known are fashion-mnist-mini, fashion-mnist, mnist, cifar10, digits, images
}
