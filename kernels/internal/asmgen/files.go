package asmgen

// Files lists all generated files.
func Files() []File {
	var files []File
	for _, l := range []Level{AVX2, AVX512} {
		files = append(files, tileFile(l), packFile(l), mapFile(l), reduceFile(l), rowFile(l), poolFile(l), poolRowFile(l), copyFile(l), peakFile(l), depthwiseFile(l))
	}
	return append(files, transposeFile())
}

// Outputs returns the contents of all generated files by name.
func Outputs() (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, f := range Files() {
		src, err := f.Source()
		if err != nil {
			return nil, err
		}
		out[f.Name+".go"] = src
		out[f.Name+".s"] = f.Assembly()
	}
	return out, nil
}
