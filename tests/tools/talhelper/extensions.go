package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"

	"github.com/budimanjojo/talhelper/v3/pkg/config"
)

// between tells builds between two releases, such as v1.14.0-beta.0-2-gdd4b1ac.
var between = regexp.MustCompile(`-\d+-g[0-9a-f]+$`)

// spans are pairs of the first and the last release of each time that something
// was there, as places in the list of releases.
type spans [][2]int

func (s spans) with(at int) spans {
	if last := len(s) - 1; last >= 0 && s[last][1] >= at-1 {
		s[last][1] = at

		return s
	}

	return append(s, [2]int{at, at})
}

// printExtensions writes the list that talhelper checks schematics by, without
// what was built between releases.
func printExtensions(out io.Writer) error {
	var versions []string

	extensions, overlays := map[string]spans{}, map[string]spans{}

	for _, release := range config.OfficialExtensions.Versions {
		if between.MatchString(release.Version) {
			continue
		}

		if slices.Contains(versions, release.Version) {
			return fmt.Errorf("%s is there twice", release.Version)
		}

		at := len(versions)
		versions = append(versions, release.Version)

		for _, name := range release.SystemExtensions {
			extensions[name] = extensions[name].with(at)
		}

		for _, overlay := range release.Overlays {
			key := overlay.Name + " " + overlay.Image
			overlays[key] = overlays[key].with(at)
		}
	}

	sections := []struct {
		name  string
		value any
	}{
		{"talhelper", "3.1.16"},
		{"source", "config.OfficialExtensions, from the registry of Sidero Labs; builds between releases are left out"},
		{"latest", config.LatestTalosVersion},
		{"versions", versions},
	}

	for at, section := range sections {
		value, err := json.Marshal(section.value)
		if err != nil {
			return err
		}

		opening := ""
		if at == 0 {
			opening = "{\n"
		}

		fmt.Fprintf(out, "%s%q: %s,\n", opening, section.name, value)
	}

	if err := printSpans(out, "extensions", extensions, ","); err != nil {
		return err
	}

	return printSpans(out, "overlays", overlays, "\n}")
}

func printSpans(out io.Writer, name string, all map[string]spans, end string) error {
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}

	slices.Sort(names)
	fmt.Fprintf(out, "%q: {\n", name)

	for at, name := range names {
		value, err := json.Marshal(all[name])
		if err != nil {
			return err
		}

		comma := ","
		if at == len(names)-1 {
			comma = ""
		}

		fmt.Fprintf(out, "%q: %s%s\n", name, value, comma)
	}

	_, err := fmt.Fprintf(out, "}%s\n", end)

	return err
}
