// flag-table: what every talosctl command takes, read from the tool's own --help.
//
// It writes help/COMMAND.txt per command and flags.json, the table that guards use to tell a flag from
// a value. It knows the layout of cobra's help and the names that talosctl hides from it; those are
// tried against the tool, and a name that no longer exists ends the run.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

type option struct {
	Short      string   `json:"short,omitempty"`
	Type       string   `json:"type"`
	TakesValue bool     `json:"takes_value"` // the next word belongs to it, unless written with "="
	Values     []string `json:"values,omitempty"`
	Default    string   `json:"default,omitempty"`
	Global     bool     `json:"global,omitempty"` // one of the flags of every command that talks to nodes
	Hidden     bool     `json:"hidden,omitempty"` // not in --help
	Deprecated bool     `json:"deprecated,omitempty"`
}

type command struct {
	Usage       string             `json:"usage"`
	Short       string             `json:"short"`
	Aliases     []string           `json:"aliases,omitempty"`
	Hidden      bool               `json:"hidden,omitempty"`
	Subcommands []string           `json:"subcommands,omitempty"`
	Flags       map[string]*option `json:"flags"`
}

type table struct {
	Talosctl string              `json:"talosctl"`
	Commands map[string]*command `json:"commands"` // by path, "etcd remove-member"; the root is ""
}

// The six flags that every command talking to nodes has.
var global = []string{"cluster", "context", "endpoints", "nodes", "siderov1-keys-dir", "talosconfig"}

type hiddenFlag struct {
	command, name string
	option
}

// Flags that the source of Talos 1.13.0 marks hidden or deprecated (cmd/talosctl, MarkHidden and
// MarkDeprecated); commands for local test clusters are left out.
var hiddenFlags = []hiddenFlag{
	{"containers", "use-cri", option{Type: "bool"}},
	{"gen config", "output-dir", option{Type: "string"}},
	{"logs", "use-cri", option{Type: "bool"}},
	{"pcap", "snaplen", option{Type: "int", Short: "s", Default: "4096", Deprecated: true}},
	{"restart", "use-cri", option{Type: "bool"}},
	{"stats", "use-cri", option{Type: "bool"}},
	{"upgrade", "force", option{Type: "bool", Short: "f", Deprecated: true}},
	{"upgrade", "insecure", option{Type: "bool", Deprecated: true}},
	{"upgrade", "preserve", option{Type: "bool", Short: "p", Deprecated: true}},
	{"upgrade", "stage", option{Type: "bool", Short: "s", Deprecated: true}},
	{"version", "json", option{Type: "bool"}},
	{"wipe disk", "skip-secondary-check", option{Type: "bool"}},
	{"wipe disk", "skip-volume-check", option{Type: "bool"}},
}

// Commands that no list shows.
var hiddenCommands = []string{"crashdump", "disks", "docs", "image integration", "interfaces", "routes"}

func main() {
	log.SetFlags(0)

	tool := flag.String("talosctl", "", "the talosctl to ask")
	out := flag.String("out", "", "folder for help/ and flags.json")
	flag.Parse()

	if *tool == "" || *out == "" {
		log.Fatal("flag-table: -talosctl and -out are needed")
	}

	if err := run(&asker{tool: *tool, help: filepath.Join(*out, "help")}, *out); err != nil {
		log.Fatalf("flag-table: %v", err)
	}
}

func run(a *asker, out string) error {
	if err := os.RemoveAll(a.help); err != nil {
		return err
	}

	if err := os.MkdirAll(a.help, 0o755); err != nil {
		return err
	}

	t := &table{Commands: map[string]*command{}}

	version, err := a.ask("version", "--client", "--short")
	if err != nil {
		return err
	}

	_, after, _ := strings.Cut(version, "Talos v")
	t.Talosctl = strings.TrimSpace(after)

	if err := a.walk(t, nil, false); err != nil {
		return err
	}

	for _, path := range hiddenCommands {
		if err := a.walk(t, strings.Fields(path), true); err != nil {
			return err
		}
	}

	for _, h := range hiddenFlags {
		c := t.Commands[h.command]
		if c == nil {
			return fmt.Errorf("no command %q for the hidden flag --%s", h.command, h.name)
		}

		value := map[string]string{"bool": "true", "int": "1"}[h.Type]
		if value == "" {
			value = "x"
		}

		if _, err := a.ask(append(strings.Fields(h.command), "--"+h.name+"="+value, "--help")...); err != nil {
			return fmt.Errorf("the hidden flag --%s of %q: %w", h.name, h.command, err)
		}

		if h.Short != "" {
			if _, err := a.ask(append(strings.Fields(h.command), "-"+h.Short+"="+value, "--help")...); err != nil {
				return fmt.Errorf("the hidden flag -%s of %q: %w", h.Short, h.command, err)
			}
		}

		o := h.option
		o.Hidden = true
		c.Flags[h.name] = &o
	}

	if err := a.tryValues(t); err != nil {
		return err
	}

	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}

	return os.WriteFile(filepath.Join(out, "flags.json"), append(b, '\n'), 0o644)
}

// tryValues finds out by asking which flags take a value: `--help --FLAG` complains about a missing one.
func (a *asker) tryValues(t *table) error {
	for path, c := range t.Commands {
		for name, o := range c.Flags {
			if o.Global {
				o.TakesValue = true

				continue
			}

			_, err := a.ask(append(strings.Fields(path), "--help", "--"+name)...)

			switch {
			case err == nil:
			case strings.Contains(err.Error(), "flag needs an argument"):
				o.TakesValue = true
			default:
				return err
			}

			if o.TakesValue == (o.Type == "bool") {
				return fmt.Errorf("--%s of %q: help says %s, the tool disagrees", name, path, o.Type)
			}
		}
	}

	return nil
}

type asker struct{ tool, help string }

func (a *asker) ask(args ...string) (string, error) {
	var stdout, stderr bytes.Buffer

	c := exec.Command(a.tool, args...)
	c.Env = []string{"HOME=/home/test", "PATH=/nonexistent"}
	c.Stdout, c.Stderr = &stdout, &stderr

	if err := c.Run(); err != nil {
		first, _, _ := strings.Cut(stderr.String(), "\n")

		return "", fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, first)
	}

	return stdout.String(), nil
}

// walk asks one command for its help, then those below it.
func (a *asker) walk(t *table, path []string, hidden bool) error {
	text, err := a.ask(append(slices.Clone(path), "--help")...)
	if err != nil {
		return err
	}

	name := strings.Join(path, " ")

	file := "talosctl"
	if len(path) > 0 {
		file = strings.Join(path, "_")
	}

	if err := os.WriteFile(filepath.Join(a.help, file+".txt"), []byte(text), 0o644); err != nil {
		return err
	}

	c, err := parse(text)
	if err != nil {
		return fmt.Errorf("help of %q: %w", name, err)
	}

	// A word the parent does not know is taken for an argument, and the parent's help comes back.
	if want := strings.TrimSpace("talosctl " + name); c.Usage != want && !strings.HasPrefix(c.Usage, want+" ") {
		return fmt.Errorf("there is no command %q: its help is that of %q", name, c.Usage)
	}

	c.Hidden = hidden
	t.Commands[name] = c

	for _, sub := range c.Subcommands {
		if err := a.walk(t, append(slices.Clone(path), sub), hidden); err != nil {
			return err
		}
	}

	return nil
}

func parse(text string) (*command, error) {
	c := &command{Flags: map[string]*option{}}
	section := ""

	for i, line := range strings.Split(text, "\n") {
		switch {
		case i == 0:
			c.Short = line
		case line == "" || strings.HasPrefix(line, "Use \""):
		case !strings.HasPrefix(line, " ") && strings.HasSuffix(line, ":") && (c.Usage != "" || line == "Usage:"):
			section = strings.TrimSuffix(line, ":")
		case section == "Usage":
			if c.Usage == "" || strings.HasSuffix(c.Usage, "[flags]") && strings.Contains(line, "[command]") {
				c.Usage = strings.TrimSpace(line)
			}
		case section == "Aliases":
			names := strings.Split(strings.TrimSpace(line), ", ")
			c.Aliases = names[1:] // the first is the name itself
		case section == "Flags" || section == "Global Flags":
			name, o, err := parseFlag(line)
			if err != nil {
				return nil, err
			}

			if o != nil {
				c.Flags[name] = o
			}
		case c.Usage == "" || section == "Examples": // the long description
		case strings.HasPrefix(line, "  ") && line[2] != ' ': // a list of commands, whatever its heading
			name := strings.Fields(line)[0]
			if name != "help" {
				c.Subcommands = append(c.Subcommands, name)
			}
		}
	}

	if c.Usage == "" {
		return nil, fmt.Errorf("no usage line")
	}

	return c, nil
}

// Help prints a back-quoted word of a flag's text in the place of its type; these are the types.
var quoted = map[string]string{"system": "string", "talosconfig": "string", "true": "string"}

// parseFlag reads a line like `  -n, --nodes strings   text (default x)`; nil for a further line of text.
func parseFlag(line string) (string, *option, error) {
	rest := strings.TrimLeft(line, " ")
	if !strings.HasPrefix(rest, "-") || len(line)-len(rest) > 6 {
		return "", nil, nil
	}

	o := &option{Type: "bool"}

	if !strings.HasPrefix(rest, "--") {
		o.Short = rest[1:2]
		rest = strings.TrimPrefix(rest[2:], ", ")
	}

	head, text, _ := strings.Cut(rest, "   ") // at least three blanks before the text
	name, kind, _ := strings.Cut(strings.TrimPrefix(head, "--"), " ")

	if name == "" {
		return "", nil, fmt.Errorf("cannot read the flag line %q", line)
	}

	switch {
	case kind == "":
	case strings.Contains(kind, ", "):
		o.Type, o.Values = "enum", strings.Split(kind, ", ")
	case quoted[kind] != "":
		o.Type = quoted[kind]
	default:
		o.Type = kind
	}

	if at := strings.LastIndex(text, "(default "); at >= 0 && strings.HasSuffix(text, ")") {
		value := strings.TrimSuffix(text[at+len("(default "):], ")")
		if !strings.HasPrefix(value, "is ") { // "(default is …)" is prose
			o.Default = strings.Trim(value, `"`)
		}
	}

	o.Global = slices.Contains(global, name)

	return name, o, nil
}
