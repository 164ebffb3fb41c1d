package config

import (
	"net/url"
	"strings"
)

// store looks at where items are kept: in a file, or in a database.
func (c checker) store() {
	s := &c.cfg.Store
	if s.PasswordFile != "" {
		s.PasswordFile = c.absolute(s.PasswordFile)
	}
	scheme, path, _ := strings.Cut(s.URL, ":")
	if scheme == "postgres" || scheme == "postgresql" {
		c.database()
		return
	}
	if s.PasswordFile != "" {
		c.problem("store.password_file", `goes with a database; remove it, or write url = "postgres://USER@HOST/DATABASE"`)
	}
	// "bolt://x.db" would quietly mean /x.db.
	if scheme != "bolt" || path == "" || strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///") {
		c.problem("store.url", `%s is not known; known are "bolt:PATH", such as "bolt:broadsheet.db", and "postgres://USER@HOST/DATABASE"`, quote(c.raw("store.url")))
		return
	}
	s.Path = c.absolute(path)
	s.Shown = s.URL
}

// database completes the address of a database. No message repeats it: it may hold the password.
func (c checker) database() {
	s := &c.cfg.Store
	u, err := url.Parse(s.URL)
	if err != nil || strings.Trim(u.Path, "/") == "" || u.Opaque != "" {
		c.problem("store.url", `is no address of a database; write "postgres://USER@HOST/DATABASE", with special characters of the password escaped (%%40 is @), or the password into password_file`)
		return
	}
	if s.PasswordFile != "" {
		_, twice := u.User.Password()
		switch {
		case u.User.Username() == "":
			c.problem("store.password_file", `is nobody's: write the user into url, "postgres://USER@HOST/DATABASE"`)
		case twice:
			c.problem("store.password_file", "stands beside a password in url; keep one of the two")
		default:
			u.User = url.UserPassword(u.User.Username(), c.secretFile("store.password_file", s.PasswordFile, "password"))
			s.URL = u.String()
		}
	}
	shown := *u
	shown.RawQuery = ""
	if shown.User != nil {
		shown.User = url.User(u.User.Username())
	}
	s.Shown = shown.String()
}
