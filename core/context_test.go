package core

import (
	"context"
	"testing"
)

func TestFromContext(t *testing.T) {
	claims := &Claims{Email: "ada@example.com"}
	for name, test := range map[string]struct {
		ctx  context.Context
		want *Claims
	}{
		"claims":        {NewContext(t.Context(), claims), claims},
		"no claims":     {t.Context(), nil},
		"nil claims":    {NewContext(t.Context(), nil), nil},
		"the innermost": {NewContext(NewContext(t.Context(), &Claims{}), claims), claims},
		// *gin.Context and fiber's *fasthttp.RequestCtx look up their own values.
		"a framework's context":        {frameworkContext{t.Context(), map[string]any{"cfaccess": claims}}, claims},
		"a framework's, no claims":     {frameworkContext{t.Context(), nil}, nil},
		"a framework's, another value": {frameworkContext{t.Context(), map[string]any{"cfaccess": "ada@example.com"}}, nil},
		"a framework's, nil claims":    {frameworkContext{t.Context(), map[string]any{"cfaccess": (*Claims)(nil)}}, nil},
		//lint:ignore SA1029 the contexts of gin and fasthttp find values by a string
		"a context of a framework's":    {context.WithValue(frameworkContext{t.Context(), map[string]any{"cfaccess": claims}}, "x", 1), claims},
		"ours inside of a framework's":  {NewContext(frameworkContext{t.Context(), map[string]any{"cfaccess": &Claims{}}}, claims), claims},
		"a framework's that knows ours": {frameworkContext{NewContext(t.Context(), claims), nil}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := FromContext(test.ctx)
			if got != test.want || ok != (test.want != nil) {
				t.Errorf("got %v, %v", got, ok)
			}
		})
	}
}

// frameworkContext finds values by a string only.
type frameworkContext struct {
	context.Context
	values map[string]any
}

func (c frameworkContext) Value(key any) any {
	if name, ok := key.(string); ok {
		return c.values[name]
	}
	return nil
}
