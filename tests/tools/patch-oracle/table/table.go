// Package table describes Go types by reflection, as data for the native
// engine: fields in order, tags, and methods that leave the general rules.
package table

import (
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	docs "github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
)

// table is everything the native engine must know about one machinery version.
type Table struct {
	Machinery      string
	YAML           string
	StrictSkipsOwn bool
	SkipsMissing   bool
	Documents      []documentInfo
	Types          map[string]*typeInfo

	seen map[string]reflect.Type
}

// documentInfo is one kind of document; the legacy document has an empty kind.
type documentInfo struct {
	Kind string `json:"kind"`
	Type string `json:"type"`
	// NameField is the key of the field that Name() returns; empty without one.
	NameField string   `json:"name_field,omitempty"`
	Conflicts []string `json:"conflicts,omitempty"`
}

type typeInfo struct {
	Kind   string      `json:"kind"`
	Elem   string      `json:"elem,omitempty"`
	Key    string      `json:"key,omitempty"`
	Fields []fieldInfo `json:"fields,omitempty"`
	// Names of an enumeration: value and text; folds when case is ignored.
	Names []enumName `json:"names,omitempty"`
	Folds bool       `json:"folds,omitempty"`
	// Methods by which the type leaves the general rules.
	Text     bool `json:"text,omitempty"`     // UnmarshalText
	Own      bool `json:"own,omitempty"`      // UnmarshalYAML
	OwnOut   bool `json:"own_out,omitempty"`  // MarshalYAML on the value
	OwnRef   bool `json:"own_ref,omitempty"`  // MarshalYAML on a pointer only
	Merges   bool `json:"merges,omitempty"`   // Merge
	Zeroes   bool `json:"zeroes,omitempty"`   // IsZero
	Stringer bool `json:"stringer,omitempty"` // String
}

// fieldInfo is one Go field, exported or not: merging walks all of them.
type fieldInfo struct {
	Go        string `json:"go"`
	Type      string `json:"type"`
	Key       string `json:"key,omitempty"`
	Inline    bool   `json:"inline,omitempty"`
	OmitEmpty bool   `json:"omitempty,omitempty"`
	Flow      bool   `json:"flow,omitempty"`
	Replace   bool   `json:"replace,omitempty"`
	Private   bool   `json:"private,omitempty"`
	Tagged    bool   `json:"tagged,omitempty"`
	Embedded  bool   `json:"embedded,omitempty"`
	Copied    bool   `json:"copied,omitempty"` // of free-form fields: by Clone
}

type enumName struct {
	Value int64  `json:"value"`
	Text  string `json:"text"`
}

type merger interface{ Merge(any) error }

type oldUnmarshaler interface {
	UnmarshalYAML(func(any) error) error
}

var (
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	yamlType     = reflect.TypeFor[yaml.Unmarshaler]()
	oldYAMLType  = reflect.TypeFor[oldUnmarshaler]()
	marshalType  = reflect.TypeFor[yaml.Marshaler]()
	mergerType   = reflect.TypeFor[merger]()
	zeroType     = reflect.TypeFor[yaml.IsZeroer]()
	stringerType = reflect.TypeFor[fmt.Stringer]()
)

// New gives an empty table for the modules this program is built with.
func New() *Table {
	return &Table{
		Machinery: dependency("github.com/siderolabs/talos/pkg/machinery"),
		YAML:      dependency("go.yaml.in/yaml/v4"),
		Types:     map[string]*typeInfo{},
		seen:      map[string]reflect.Type{},
	}
}

// AddDocument adds one kind of file by its type.
func (t *Table) AddDocument(kind string, typ reflect.Type) {
	t.Documents = append(t.Documents, documentInfo{Kind: kind, Type: t.Add(typ)})
}

// Describe adds every document of the machinery, whose sources lie in module.
func (t *Table) Describe(module string) error {
	t.StrictSkipsOwn = strictSkipsOwn()
	t.SkipsMissing = skipsMissing()

	kinds, err := documentKinds(module)
	if err != nil {
		return err
	}

	for _, kind := range append([]string{""}, kinds...) {
		text := "version: v1alpha1\nmachine: {}\n"
		if kind != "" {
			text = "apiVersion: v1alpha1\nkind: " + kind + "\n"
		}

		provider, err := configloader.NewFromBytes([]byte(text))
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}

		doc := provider.Documents()[0]
		info := documentInfo{Kind: kind, Type: t.Add(reflect.TypeOf(doc).Elem())}

		if named, ok := doc.(docs.NamedDocument); ok {
			info.NameField = nameField(named)
		}

		if conflicting, ok := doc.(docs.ConflictingDocument); ok {
			info.Conflicts = conflicting.ConflictsWithKinds()
		}

		t.probeCopies(doc)
		t.Documents = append(t.Documents, info)
	}

	return nil
}

// Print writes one line per document and per type, sorted, so that two
// machinery versions can be compared with diff.
func (t *Table) Print(out io.Writer) error {
	var text strings.Builder

	fmt.Fprintf(&text, "{\n%q: %q,\n", "machinery", t.Machinery)
	fmt.Fprintf(&text, "%q: %q,\n", "yaml", t.YAML)
	fmt.Fprintf(&text, "%q: %v,\n", "strict_skips_own", t.StrictSkipsOwn)
	fmt.Fprintf(&text, "%q: %v,\n", "skips_missing", t.SkipsMissing)
	fmt.Fprintf(&text, "%q: [", "documents")

	for i, document := range t.Documents {
		line, err := json.Marshal(document)
		if err != nil {
			return err
		}

		fmt.Fprintf(&text, "%s\n%s", separator(i), line)
	}

	fmt.Fprintf(&text, "\n],\n%q: {", "types")

	for i, name := range slices.Sorted(maps.Keys(t.Types)) {
		line, err := json.Marshal(t.Types[name])
		if err != nil {
			return err
		}

		fmt.Fprintf(&text, "%s\n%q: %s", separator(i), name, line)
	}

	fmt.Fprint(&text, "\n}\n}\n")

	_, err := io.WriteString(out, text.String())

	return err
}

func separator(i int) string {
	if i == 0 {
		return ""
	}

	return ","
}

// strictSkipsOwn tells whether the check for unknown keys leaves values alone
// that types with an UnmarshalYAML of their own read.
func strictSkipsOwn() bool {
	_, err := configloader.NewFromBytes([]byte("cluster: {apiServer: {extraArgs: {v: [a]}}}\nmachine: {}\n"))

	return err == nil
}

// nameField finds by trial which field a document is named by.
func nameField(doc docs.NamedDocument) string {
	value := reflect.ValueOf(doc).Elem()

	for i := range value.NumField() {
		field := value.Field(i)
		if field.Kind() != reflect.String || !field.CanSet() {
			continue
		}

		old := field.String()
		field.SetString("probe")
		found := doc.Name() == "probe"
		field.SetString(old)

		if found {
			return strings.Split(value.Type().Field(i).Tag.Get("yaml"), ",")[0]
		}
	}

	return "?"
}

var (
	kindConstant = regexp.MustCompile(`const \w+ = "(\w+)"`)
	registration = regexp.MustCompile(`registry\.Register\(`)
)

// documentKinds reads the kinds out of the module's sources, because the
// registry is internal to the module and its JSON schema misspells one kind.
// It fails unless as many kinds are found as are registered.
func documentKinds(module string) ([]string, error) {
	var kinds []string

	registered := 0

	err := filepath.WalkDir(filepath.Join(module, "config", "types"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}

		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}

		registered += len(registration.FindAll(source, -1))

		for _, found := range kindConstant.FindAllSubmatch(source, -1) {
			kind := string(found[1])
			if _, err := configloader.NewFromBytes([]byte("apiVersion: v1alpha1\nkind: " + kind + "\n")); err == nil {
				kinds = append(kinds, kind)
			}
		}

		return nil
	})
	if err != nil {
		return nil, err
	}

	slices.Sort(kinds)
	kinds = slices.Compact(kinds)

	// The legacy document is registered too and has no kind.
	if len(kinds)+1 != registered {
		return nil, fmt.Errorf("%d kinds found, %d registered", len(kinds)+1, registered)
	}

	return kinds, nil
}

// dependency gives the version of a module that this program is built with.
func dependency(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == module {
				return strings.TrimPrefix(dep.Version, "v")
			}
		}
	}

	return "unknown"
}

// skipsMissing tells whether deleting a document that is not there does nothing.
func skipsMissing() bool {
	patch, err := configpatcher.LoadPatch([]byte("apiVersion: v1alpha1\nkind: HostnameConfig\n$patch: delete\n"))
	if err != nil {
		return false
	}

	config := configpatcher.WithBytes([]byte("version: v1alpha1\nmachine: {}\n"))

	patched, err := configpatcher.Apply(config, []configpatcher.Patch{patch})
	if err != nil {
		return false
	}

	out, err := patched.Bytes()

	return err == nil && !strings.Contains(string(out), "---")
}

// Add describes a type once and returns the name it is referred to by.
func (t *Table) Add(typ reflect.Type) string {
	name := typ.String()
	if before, known := t.seen[name]; known {
		if before != typ {
			panic(fmt.Sprintf("two types are called %s: %s and %s", name, before.PkgPath(), typ.PkgPath()))
		}

		return name
	}

	t.seen[name] = typ

	pointer := reflect.PointerTo(typ)
	info := &typeInfo{
		Kind:     typ.Kind().String(),
		Text:     pointer.Implements(textType),
		Own:      pointer.Implements(yamlType) || pointer.Implements(oldYAMLType),
		OwnOut:   typ.Implements(marshalType),
		OwnRef:   pointer.Implements(marshalType) && !typ.Implements(marshalType),
		Merges:   pointer.Implements(mergerType),
		Zeroes:   typ.Implements(zeroType),
		Stringer: typ.Implements(stringerType),
	}
	t.Types[name] = info

	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		info.Elem = t.Add(typ.Elem())
	case reflect.Map:
		info.Key, info.Elem = t.Add(typ.Key()), t.Add(typ.Elem())
	case reflect.Struct:
		if opaque(typ) {
			break
		}

		for i := range typ.NumField() {
			info.Fields = append(info.Fields, t.field(typ.Field(i)))
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if info.Text {
			info.Names, info.Folds = enumeration(typ)
		}
	}

	return name
}

// opaque types come from outside Talos' and talhelper's own modules; the
// engine has codecs for those that it meets.
func opaque(typ reflect.Type) bool {
	path := typ.PkgPath()

	return path != "" && !strings.Contains(path, "siderolabs/") && !strings.Contains(path, "/talhelper/")
}

func (t *Table) field(f reflect.StructField) fieldInfo {
	info := fieldInfo{Go: f.Name, Private: f.PkgPath != "" && !f.Anonymous}

	tag, tagged := f.Tag.Lookup("yaml")
	parts := strings.Split(tag, ",")
	info.Tagged = tagged
	info.Embedded = f.Anonymous
	info.Key = parts[0]
	info.Inline = slices.Contains(parts[1:], "inline")
	info.OmitEmpty = slices.Contains(parts[1:], "omitempty")
	info.Flow = slices.Contains(parts[1:], "flow")
	info.Replace = slices.Contains(strings.Split(f.Tag.Get("merge"), ","), "replace")
	info.Type = t.Add(f.Type)

	return info
}

// enumeration finds the texts a small integer type reads and writes.
func enumeration(typ reflect.Type) (names []enumName, folds bool) {
	for n := range int64(1 << 16) {
		value := reflect.New(typ)

		if typ.Kind() >= reflect.Uint && typ.Kind() <= reflect.Uint64 {
			if value.Elem().OverflowUint(uint64(n)) {
				break
			}

			value.Elem().SetUint(uint64(n))
		} else {
			if value.Elem().OverflowInt(n) {
				break
			}

			value.Elem().SetInt(n)
		}

		text, ok := marshalText(value)
		if !ok {
			continue
		}

		back := reflect.New(typ)
		if !unmarshalText(back, text) || !reflect.DeepEqual(back.Elem().Interface(), value.Elem().Interface()) {
			continue
		}

		names = append(names, enumName{Value: n, Text: text})

		if upper := strings.ToUpper(text); upper != text && unmarshalText(reflect.New(typ), upper) {
			folds = true
		}
	}

	return names, folds
}

func marshalText(value reflect.Value) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()

	marshaler, is := value.Interface().(encoding.TextMarshaler)
	if !is {
		return "", false
	}

	raw, err := marshaler.MarshalText()

	return string(raw), err == nil
}

func unmarshalText(value reflect.Value, text string) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()

	return value.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)) == nil
}
