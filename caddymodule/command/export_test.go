package command

// They are tested from outside, where the plugin can be imported.
var (
	Load     = load
	LoadData = loadData
	Discover = discover
	Find     = find
)

// Found is a file to judge.
type Found = found

// Name is the file's.
func (f found) Name() string { return f.name }
