package rules

import (
	"go/ast"
	"testing"
)

// staticcheck looks at how a doc comment begins, but not for one that is missing.
func TestEverythingExportedHasADocComment(t *testing.T) {
	for _, source := range sources(t) {
		if source.isTest || source.ast.Name.Name == "main" {
			continue
		}
		for _, declaration := range source.ast.Decls {
			for _, name := range undocumented(declaration) {
				t.Errorf("%s: %s has no doc comment", source.path, name)
			}
		}
	}
}

// undocumented returns the exported names of a declaration that have no comment
// of their own and none of their group.
func undocumented(declaration ast.Decl) (names []string) {
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		if d.Doc != nil {
			return nil
		}
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Doc == nil && s.Name.IsExported() {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				if s.Doc == nil && s.Comment == nil && s.Names[0].IsExported() {
					names = append(names, s.Names[0].Name)
				}
			}
		}
	}
	return names
}

// receiver returns the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	expression := d.Recv.List[0].Type
	if star, ok := expression.(*ast.StarExpr); ok {
		expression = star.X
	}
	if name, ok := expression.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}
