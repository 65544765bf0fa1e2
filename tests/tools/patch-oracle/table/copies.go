package table

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	docs "github.com/siderolabs/talos/pkg/machinery/config/config"
)

// probeCopies marks the free-form fields that cloning a document copies value
// by value. Some are forgotten by the module's generated code; the others
// crash on values that the copy does not know, such as timestamps.
func (t *Table) probeCopies(doc docs.Document) {
	t.probeStruct(doc, reflect.ValueOf(doc).Elem(), map[reflect.Type]bool{})
}

func (t *Table) probeStruct(doc docs.Document, value reflect.Value, visited map[reflect.Type]bool) {
	typ := value.Type()
	if visited[typ] || opaque(typ) {
		return
	}

	visited[typ] = true

	for i := range typ.NumField() {
		field := value.Field(i)
		if !field.CanSet() {
			continue
		}

		if free, ok := freeForm(field.Type()); ok {
			field.Set(free)
			t.Types[typ.String()].Fields[i].Copied = cloneCrashes(doc)
			field.SetZero()

			continue
		}

		if inner, ok := populate(field); ok {
			t.probeStruct(doc, inner, visited)
			field.SetZero()
		}
	}
}

// freeForm gives a free-form value, or a list of one, that holds a timestamp.
func freeForm(typ reflect.Type) (reflect.Value, bool) {
	if typ.Kind() == reflect.Slice {
		inner, ok := freeForm(typ.Elem())
		if !ok {
			return reflect.Value{}, false
		}

		return reflect.Append(reflect.MakeSlice(typ, 0, 1), inner), true
	}

	if typ.Kind() != reflect.Struct || typ.Name() != "Unstructured" {
		return reflect.Value{}, false
	}

	value := reflect.New(typ).Elem()
	value.FieldByName("Object").Set(reflect.ValueOf(map[string]any{"x": time.Unix(0, 0)}))

	return value, true
}

// populate puts one element into a field and gives the struct inside it.
func populate(field reflect.Value) (reflect.Value, bool) {
	switch field.Kind() {
	case reflect.Struct:
		return field, true
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))

		return populate(field.Elem())
	case reflect.Slice:
		field.Set(reflect.MakeSlice(field.Type(), 1, 1))

		return populate(field.Index(0))
	case reflect.Map:
		if field.Type().Elem().Kind() != reflect.Pointer || field.Type().Key().Kind() != reflect.String {
			return reflect.Value{}, false
		}

		element := reflect.New(field.Type().Elem().Elem())
		field.Set(reflect.MakeMap(field.Type()))
		field.SetMapIndex(reflect.ValueOf("x").Convert(field.Type().Key()), element)

		return populate(element.Elem())
	default:
		return reflect.Value{}, false
	}
}

func cloneCrashes(doc docs.Document) (crashed bool) {
	defer func() {
		if p := recover(); p != nil {
			crashed = strings.Contains(fmt.Sprint(p), "cannot deep copy")
		}
	}()

	doc.Clone()

	return false
}
