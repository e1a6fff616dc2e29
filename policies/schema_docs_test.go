package policies

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// modelDocs are the comments of the model.
type modelDocs struct {
	types  map[string]string
	fields map[string]string // by Type.Field
}

// verbDocs are fields without comments of their own: their type says it all.
var verbFields = map[string]string{"Key": "Key", "Strip": "Strip", "Bypass": "Bypass", "Deny": "Deny", "Vary": "Vary", "Forward": "Forward"}

func (d modelDocs) field(typ, field string) string {
	if text := d.fields[typ+"."+field]; text != "" {
		return text
	}
	switch verb := verbFields[field]; {
	case verb != "" && (typ == "Inputs" || typ == "HeaderInputs"):
		return d.fields["const."+verb]
	case field == "Reason":
		return "Why. Required."
	}
	return map[string]string{
		"HeaderKey.Name":     "The name of the header, case-insensitive.",
		"HeaderKey.Values":   "What the header is normalised to.",
		"HeaderForward.Name": "The name of the header, case-insensitive.",
		"Tolerance.Detector": "The id of the detector.",
		"Cache.TTL":          "The lifetime of an object with status 200, or origin.",
	}[typ+"."+field]
}

// readModel reads the comments of the files that declare the language.
func readModel(t *testing.T) modelDocs {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range []string{"model.go", "duration.go", "attribution.go"} {
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(fset, files, "policies", doc.PreserveAST)
	if err != nil {
		t.Fatal(err)
	}
	d := modelDocs{types: make(map[string]string), fields: make(map[string]string)}
	for _, typ := range pkg.Types {
		d.types[typ.Name] = plainDoc(typ.Doc)
		for _, group := range typ.Consts {
			d.constants(group.Decl)
		}
		spec := typ.Decl.Specs[0].(*ast.TypeSpec)
		if s, ok := spec.Type.(*ast.StructType); ok {
			d.structure(fset, typ.Name, s)
		}
	}
	return d
}

func (d modelDocs) constants(decl *ast.GenDecl) {
	for _, spec := range decl.Specs {
		value := spec.(*ast.ValueSpec)
		if text := value.Comment.Text(); text != "" {
			text = plainDoc(text)
			d.fields["const."+value.Names[0].Name] = strings.ToUpper(text[:1]) + text[1:] + "."
		}
	}
}

// structure notes the comments of fields. One that follows on the next line without a
// comment shares that of the field before it.
func (d modelDocs) structure(fset *token.FileSet, typ string, s *ast.StructType) {
	last, line := "", 0
	for _, field := range s.Fields.List {
		at := fset.Position(field.Pos()).Line
		text := plainDoc(field.Doc.Text())
		if text == "" && at == line+1 {
			text = last
		}
		for _, name := range field.Names {
			d.fields[typ+"."+name.Name] = text
		}
		last, line = text, fset.Position(field.End()).Line
	}
}

// plainDoc makes one line of a comment.
func plainDoc(text string) string { return strings.Join(strings.Fields(text), " ") }
