// Package dataset reads labelled images and feeds them to training.
//
// # Sources
//
// [Open] knows these names; [List] says where each comes from and how to get it.
//
//	fashion-mnist-mini  10,000 + 2,000 images of Fashion-MNIST, embedded: the default
//	fashion-mnist       60,000 + 10,000 grey 28x28 images of clothes, IDX files
//	mnist               60,000 + 10,000 grey 28x28 handwritten digits, IDX files
//	cifar10             50,000 + 10,000 colour 32x32 photographs, binary batches
//	digits:FILE         a CSV file with one flattened image and its label a line, with a header or without
//	images:FOLDER       a folder with one subfolder of pictures per class
//
// A path after a colon works for every name and means the same as [Options.Dir].
// The files of a named data set are looked for in that place, in the folder named by
// NASBENCH_DATA, in [UserDir] and in /usr/share/datasets, where Debian's package
// dataset-fashion-mnist puts them; [Options] has the details. IDX, CIFAR and CSV files
// may be gzipped. [Fetch] downloads MNIST.
//
// The classes of Fashion-MNIST, 0 to 9, are T-shirt/top, Trouser, Pullover, Dress, Coat,
// Sandal, Shirt, Sneaker, Bag and Ankle boot; of CIFAR-10 airplane, automobile, bird,
// cat, deer, dog, frog, horse, ship and truck. The embedded part of Fashion-MNIST has
// its first 1,000 training and first 200 test images of every class, MIT licence
// beside it. Of a CSV file a tenth of every class is the test split; of a folder
// of pictures without test pictures, a fifth. Both choices are the same in every run.
//
// # CSV files
//
// Separators of digits:FILE are commas, semicolons or tabs. The first line is a header if it differs from those that follow: if it has words
// where they have numbers, or numbers as names, as data frames write them. The label column is the one that the header calls label, class
// or target, or the only one of words, or the only one of another name than those of pixels; otherwise the first or the last, whichever holds
// exactly 0, 1, ... up to some number. Labels that all are numbers are whole, and equal ones are one class however they are written.
// A first column that only numbers the lines is left out. Pixels stand row by row, the three values of a coloured one side by side; they
// are from 0 to the smallest of 1, 16 and 255 that holds all. A few that are beyond a range which holds all others are an error; what
// leaves it by rounding or interpolation is clipped. [Options].Header, Label and PixelScale say it instead, and [Info].Notes say what was decided.
//
// # Folders of pictures
//
// Every subfolder of images:FOLDER is a class, named like it, and what lies in it at any depth belongs to the class. Links are followed,
// except to a folder that they lie in. A folder around all others is passed through.
//
// Folders named train, val, valid, validation and test, in any capitalisation (training and testing, too), are splits if class folders lie in
// them and no other classes beside them. A class of trains named train stays a class. Without test, val is the test split: nothing trains on it. Beside
// test, val joins train, because a search chooses by itself which training images compare candidates. A test split may lack classes, which
// a note says; a class that train lacks is an error.
//
// Pictures are PNG, JPEG (.jpg, .jpeg, .jpe, .jfif), WebP without animation, BMP, TIFF and GIF; of the last two the first page or frame. Their content
// decides how they are read. They are turned as the orientation in their EXIF data says. Transparent parts show [Options].Background, white
// by default. [Options].Fit says how a picture that is not square becomes so: cropped to the middle, stretched or padded. The result
// is scaled with the Catmull-Rom filter. It is grey if all training pictures are.
//
// What is left out is said in [Info].Notes, with counts: other files, hidden ones, pictures in no class folder, empty folders. Pictures that cannot be
// read are a [*PicturesError], which names them all, or are left out with [Options].SkipBad. Test pictures are decoded on opening, so that
// none of them is found bad after a search. Only regular files are opened.
//
// # Identity
//
// [Dataset.Digest] is the same for the same data, wherever and on whichever machine it lies, gzipped or not. It is a SHA-256 sum over the names of the
// classes by label and the contents of the files in the order of the samples, each with its split and its label, test files included. So it changes with a
// pixel, a label, a class's name, with a file more or less, and with names as far as they decide the order. It is not over decoded pixels, for three
// reasons: how pictures are decoded and scaled are options, which are recorded on their own; another version of a decoder must not
// make the same files other data; and test files can be summed up without being looked at. What cannot be read and is left out does not count.
//
// Sums of files are kept in the user's cache folder by path, size and times. A file that was changed within the last seconds is always read. Without a
// cache folder all are.
//
// # Splits
//
// A [Dataset] has a train split and a test split. A search sees the train split only,
// cut by [SplitStratified] into the part that candidates train on and the part that
// compares them. [Dataset.Test] reads the test split at the first call, which belongs
// to the final validation alone; but [Open] checks already that its files can be read.
//
// A [Split] stores 8-bit pixels, N x H x W x C. Parts of a split share its storage.
//
// # Batches
//
// A [Loader] prepares normalised float32 batches in the background, ahead of their
// use. [Measure] computes the [Stats] for normalisation, from the samples that are
// trained on; [Augment] says how training images are varied. Order and augmentation
// follow from the seed, the epoch and the sample alone.
//
// # Errors
//
// What is wrong with a file is an [*Error] that names the data set, the file, the place
// in it, what was expected, and how to get a good one. Sizes that a file declares are
// held against its length before memory is taken for them.
package dataset
