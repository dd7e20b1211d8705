// Package safetensors reads and writes tensors in the safetensors format of Hugging Face
// (https://huggingface.co/docs/safetensors), which the Python library of that name and many tools read.
//
// A file is
//
//	8 bytes      length n of the header, unsigned, little-endian
//	n bytes      header: a JSON object in UTF-8, padded with spaces
//	the rest     the elements of the tensors, little-endian, row-major
//
// The header maps each name to {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}; offsets count
// from the end of the header. The optional name "__metadata__" maps to an object of strings. The tensors
// cover the rest of the file without holes and without overlap.
//
// Writing adds a checksum of metadata and tensors (SHA-256) to the metadata, which reading verifies and takes out again: a file that has changed
// on the disk is an error, not other numbers. Files of other writers have none, and are read all the same.
//
// Writing pads the header so that the elements start at a multiple of 8 bytes. Files are replaced
// as a whole: a reader, or a crash, finds the old file or the new one. Reading checks everything above before
// it allocates memory for tensors, and never panics whatever the bytes are. Only F32 is supported.
package safetensors
