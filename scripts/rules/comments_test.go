package rules

import (
	"go/ast"
	"path"
	"testing"
)

func TestEveryPackageHasADocComment(t *testing.T) {
	documented := map[string]bool{}
	for _, source := range sources(t, ".") {
		if !source.isTest {
			folder := path.Dir(source.path)
			documented[folder] = documented[folder] || source.ast.Doc != nil
		}
	}
	for folder, ok := range documented {
		if !ok {
			t.Errorf("the package in %s has no doc comment", folder)
		}
	}
}

// Whatever a user can name says what it promises.
func TestEverythingExportedHasADocComment(t *testing.T) {
	for _, folder := range released {
		for _, source := range sources(t, folder) {
			if source.isTest {
				continue
			}
			for _, name := range undocumented(source.ast) {
				t.Errorf("%s: %s has no doc comment", source.path, name)
			}
		}
	}
}

func undocumented(file *ast.File) (names []string) {
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && ast.IsExported(receiver(d)) {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
						names = append(names, s.Name.Name)
					}
				case *ast.ValueSpec:
					if s.Names[0].IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						names = append(names, s.Names[0].Name)
					}
				}
			}
		}
	}
	return names
}

// receiver returns the name of a method's type. A function counts as exported.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return "Function"
	}
	expression := d.Recv.List[0].Type
	if star, ok := expression.(*ast.StarExpr); ok {
		expression = star.X
	}
	if name, ok := expression.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}
