package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxFile bounds each file that is read: 100,000 outlets fit in.
const maxFile = 32 << 20

// Load reads the configuration at path with the files that it includes.
//
// An error is Errors, with everything that is wrong, by file and line. The Config
// comes along with it where the file could be parsed, so that the caller can add
// what only other rooms can find; it is nil where not.
func Load(path string) (*Config, error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("there is no such file; name one with `broadsheet -c FILE` or $BROADSHEET_CONFIG, or see it work without one: `broadsheet demo`")
	}
	if err != nil {
		return nil, Errors{{File: path, Text: err.Error()}}
	}
	return load(path, data, os.LookupEnv)
}

// load is Load for a document that is read already.
func load(path string, data []byte, env func(string) (string, bool)) (*Config, error) {
	cfg := defaults()
	b := &binder{
		cfg:     &cfg,
		host:    cfg.Hosts[0],
		outlet:  cfg.Outlets[0],
		section: cfg.Sections[0],
		file:    path,
		told:    map[string]bool{},
		keys:    map[reflect.Type]map[string]key{},
		env:     env,
	}
	cfg.Hosts, cfg.Outlets, cfg.Sections = nil, nil, nil
	cfg.places = map[string]place{}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, Errors{{File: path, Text: err.Error()}}
	}

	root, complete := tree(data, b.report)
	b.place("", root)
	b.table("", root, reflect.ValueOf(&cfg).Elem())
	if !complete {
		return nil, b.problems.Sorted()
	}
	digest := sha256.New()
	digest.Write(data)
	allThere := b.include(path, digest)
	cfg.Digest = hex.EncodeToString(digest.Sum(nil))

	c := checker{b, dir, allThere}
	c.inherit()
	c.check()
	if len(b.problems) > 0 {
		return &cfg, b.problems.Sorted()
	}
	return &cfg, nil
}

// report takes what is wrong with the TOML of the file being read.
func (b *binder) report(line int, key, text string) {
	b.problems = append(b.problems, Problem{File: b.file, Line: line, Key: key, Text: text})
}

// include reads the further files; ok is false if something of them may be missing.
func (b *binder) include(main string, digest io.Writer) (ok bool) {
	ok = true
	read := []string{main}
	for i, pattern := range b.cfg.IncludeFiles {
		at := fmt.Sprintf("include_files[%d]", i)
		files, err := glob(filepath.Dir(main), pattern)
		switch {
		case err != nil:
			b.problem(at, "%s is no pattern; write it as in \"outlets.d/*.toml\"", quote(pattern))
		case len(files) == 0 && !strings.ContainsAny(pattern, "*?["):
			b.problem(at, "there is no file %s beside this one; correct the name, or remove it", quote(pattern))
			ok = false
		}
		for _, file := range files {
			if slices.ContainsFunc(read, func(r string) bool { return sameFile(r, file) }) {
				continue
			}
			read = append(read, file)
			data, err := readFile(file)
			if err != nil {
				b.problems = append(b.problems, Problem{File: file, Text: err.Error()})
				ok = false
				continue
			}
			digest.Write(data)
			if !b.included(main, file, data) {
				ok = false
			}
		}
	}
	return ok
}

// included binds a further file, which adds blocks and changes nothing else.
func (b *binder) included(main, file string, data []byte) (complete bool) {
	defer func(file string) { b.file = file }(b.file)
	b.file = file
	root, complete := tree(data, b.report)
	for _, name := range root.names {
		n := root.fields[name]
		switch name {
		case "outlet":
			b.place(name, n)
			b.value(name, n, reflect.ValueOf(&b.cfg.Outlets).Elem(), "")
		case "section":
			b.place(name, n)
			b.value(name, n, reflect.ValueOf(&b.cfg.Sections).Elem(), "")
		default:
			b.report(n.line, name, fmt.Sprintf("an included file holds [[outlet]] and [[section]] blocks only; move this to %s", main))
		}
	}
	return complete
}

func glob(dir, pattern string) ([]string, error) {
	if !filepath.IsAbs(pattern) {
		literal := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
		pattern = filepath.Join(literal, pattern)
	}
	return filepath.Glob(pattern)
}

func sameFile(a, b string) bool {
	ai, aerr := os.Stat(a)
	bi, berr := os.Stat(b)
	return aerr == nil && berr == nil && os.SameFile(ai, bi)
}

// readFile reads a file that must be plain UTF-8.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, reason(err)
	case info.IsDir():
		return nil, errors.New("is a directory; name the file in it")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, reason(err)
	case len(data) > maxFile:
		return nil, fmt.Errorf("is larger than %d MiB; this is hardly a configuration", maxFile>>20)
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return nil, errors.New("begins with a byte order mark; save it as UTF-8 without one")
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return nil, errors.New("is UTF-16; save it as UTF-8 without a byte order mark")
	case !utf8.Valid(data):
		return nil, fmt.Errorf("is not UTF-8 (line %d); save it as UTF-8", badLine(data))
	}
	return data, nil
}

// reason drops the path from an error of the file system: a Problem has it.
func reason(err error) error {
	var pe *fs.PathError
	switch {
	case errors.Is(err, fs.ErrPermission):
		return errors.New("may not be read by this user; change its owner or mode")
	case errors.As(err, &pe):
		return fmt.Errorf("cannot be read: %w", pe.Err)
	}
	return err
}

func badLine(data []byte) int {
	line := 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		data = data[size:]
	}
	return line
}
