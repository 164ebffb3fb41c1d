package main

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"broadsheet/config"
	"broadsheet/fetch"
	"broadsheet/publish"
	"broadsheet/store"
)

// A plan is a configuration in the terms of the parts: what a command works by.
type plan struct {
	path        string // of the configuration's file
	config      *config.Config
	settings    fetch.Settings
	feeds       []fetch.Feed
	renames     []store.Rename // what outlets and feeds were called before
	publication publish.Publication
	public      net.Listener // at server.listen, if somebody listens there for us already
}

// plan loads the configuration and lets each room judge what is its own. All that is wrong comes back
// in one config.Errors.
func (p *program) plan() (*plan, error) {
	path := cmp.Or(p.configFlag, os.Getenv("BROADSHEET_CONFIG"))
	if path == "" {
		path = "broadsheet.toml"
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, config.Errors{{File: path, Text: "there is no such file here; name one with -c FILE or $BROADSHEET_CONFIG, start from config.example.toml, or look at `broadsheet demo`, which needs none"}}
		}
	}
	return load(path)
}

func load(path string) (*plan, error) {
	cfg, err := config.Load(path)
	var problems config.Errors
	if err != nil && (!errors.As(err, &problems) || cfg == nil) {
		return nil, err
	}
	pl, more := assemble(cfg)
	if problems = append(problems, more...); len(problems) > 0 {
		return nil, problems.Sorted()
	}
	pl.path = path
	return pl, nil
}

// assemble makes a plan of a configuration.
func assemble(cfg *config.Config) (*plan, config.Errors) {
	var problems config.Errors
	if base := publish.Address(cfg.BaseURL); base != "" { // else config has reported what is wrong with it
		cfg.BaseURL = base
	}
	pl := &plan{
		config: cfg,
		settings: fetch.Settings{
			UserAgent:   fmt.Sprintf("Broadsheet/%s (+%s)", version(), cfg.Contact),
			Concurrency: cfg.Fetch.Concurrency,
			PerHost:     cfg.Fetch.PerHost,
			HostGap:     cfg.Fetch.HostGap,
			MinInterval: cfg.Fetch.MinInterval,
			MaxInterval: cfg.Fetch.MaxInterval,
			Timeout:     cfg.Fetch.Timeout,
			MaxBytes:    cfg.Fetch.MaxBytes,
		},
		publication: publish.Publication{
			Title:    cfg.Title,
			BaseURL:  cfg.BaseURL,
			Hub:      hubAddress(cfg.Publish.Hub, cfg.BaseURL),
			Language: cfg.Language,
			Images:   cfg.Publish.Images == "link",
			Sheet:    cfg.Publish.Sheet,
			Footer:   cfg.Publish.Footer,
			Digest:   cfg.Digest + " " + shortHash(string(cfg.Publish.Sheet)) + " " + version(),

			AlsoInText: cfg.Publish.AlsoInText,
		},
	}
	if cfg.Fetch.Proxy != "" {
		pl.settings.Proxy, _ = url.Parse(cfg.Fetch.Proxy) // config has reported what is wrong with it
	}
	for _, h := range cfg.Hosts {
		pl.settings.Hosts = append(pl.settings.Hosts, fetch.HostRule{Name: h.Name, PerHost: h.PerHost, Gap: h.Gap, Each: h.Scope == "host"})
	}
	pub := &pl.publication
	var err error
	if pub.Location, err = time.LoadLocation(cfg.Timezone); err != nil {
		pub.Location = time.UTC // config has reported it
	}
	for _, entry := range cfg.Publish.Withdraw {
		name, revoked := strings.CutPrefix(entry, "!")
		w := publish.Withdrawal{Entry: name, Revoked: revoked}
		if strings.Contains(name, "://") {
			w.Canonical = fetch.CanonicalLink(name)
		}
		pub.Withdraw = append(pub.Withdraw, w)
	}
	judged := map[string]bool{}
	for i := range cfg.Outlets {
		o := &cfg.Outlets[i]
		for _, id := range o.Formerly {
			pl.renames = append(pl.renames, store.Rename{From: store.FeedName{Outlet: id}, To: store.FeedName{Outlet: o.ID}})
		}
		po := publish.Outlet{ID: o.ID, Name: o.Name, Formerly: o.Formerly, URL: o.URL, Language: o.Language, Rights: o.Rights, Tags: o.Tags, Priority: o.Priority, Content: o.Content, Republish: o.Republish}
		for j := range o.Feeds {
			f := &o.Feeds[j]
			for _, url := range f.Formerly {
				pl.renames = append(pl.renames, store.Rename{
					From: store.FeedName{Outlet: o.ID, URL: url}, To: store.FeedName{Outlet: o.ID, URL: f.Shown}})
			}
			schedule, err := fetch.ParseSchedule(f.Schedule)
			if err != nil {
				problem := cfg.Problem(fmt.Sprintf("outlet[%d].feed[%d].schedule", i, j), fmt.Sprintf("%q: %v", f.Schedule, err))
				if at := problem.String(); !judged[at] { // many feeds inherit one schedule
					judged[at] = true
					problems = append(problems, problem)
				}
				continue
			}
			pl.feeds = append(pl.feeds, fetch.Feed{
				Outlet: o.ID, Owner: cmp.Or(o.Owner, fetch.Domain(o.URL), o.ID), Language: o.Language, URL: f.Shown, Address: f.URL, Schedule: schedule, Enabled: o.Enabled,
				Headers: f.Headers, Username: f.Username, Password: f.Password, Secret: f.Secret, Secrets: f.Secrets, AllowPrivate: f.AllowPrivate, InsecureTLS: f.InsecureTLS, WebSub: o.WebSub,
			})
			po.Feeds = append(po.Feeds, publish.Feed{URL: f.Shown, Shown: shown(f), Tags: f.Tags, Private: f.Secret && !o.Republish, Interval: interval(schedule)})
		}
		pub.Outlets = append(pub.Outlets, po)
	}
	for i := range cfg.Sections {
		s := &cfg.Sections[i]
		ps := publish.Section{
			Slug: s.Slug, Title: s.Title, Description: s.Description, From: s.From, Include: s.Include, Exclude: s.Exclude, Languages: s.Languages,
			LanguagesUnknown: s.Unknown, Where: s.Where, Stories: s.Stories, MinOutlets: s.MinOutlets, MaxPerOutlet: s.MaxPerOutlet, MaxAge: s.MaxAge,
			Limit: s.Limit, Content: s.Content, Formerly: s.Formerly, Key: s.Key,
		}
		if it := &s.Itunes; it.Category != "" {
			ps.Itunes = publish.Itunes{Author: it.Author, Owner: it.Owner, Email: it.Email, Image: it.Image, Type: it.Type, Explicit: it.Explicit}
			ps.Itunes.Category, ps.Itunes.Subcategory = it.Split()
		}
		for _, problem := range publish.CheckSection(ps) {
			problems = append(problems, cfg.Problem(fmt.Sprintf("section[%d].%s", i, problem.Key), problem.Text))
		}
		pub.Sections = append(pub.Sections, ps)
	}
	return pl, problems
}

// shown is a feed's address as documents name it: where a part of it is secret, without its query.
func shown(f *config.Feed) string {
	if f.URL == f.Shown {
		return f.Shown
	}
	address, _, _ := strings.Cut(f.Shown, "?")
	if strings.Contains(address, "${") { // not even the path may be told
		scheme, rest, _ := strings.Cut(address, "://")
		host, _, _ := strings.Cut(rest, "/")
		if strings.Contains(host, "${") {
			host = "hidden.invalid" // a name that nobody has (RFC 2606 §2)
		}
		return scheme + "://" + host + "/"
	}
	return address
}

// interval is the pause that a schedule makes, measured from a fixed time: what is published depends
// on it and must not depend on now.
func interval(s fetch.Schedule) time.Duration {
	from := time.Date(2026, time.January, 5, 0, 0, 0, 0, time.UTC) // a Monday
	first := s.Next(from)
	return s.Next(first).Sub(first)
}

// addresses are what people open: the front page and each section's feeds.
func (pl *plan) addresses() []string {
	all := []string{pl.config.BaseURL + "/"}
	for _, s := range pl.config.Sections {
		for _, format := range []string{".atom", ".rss", ".json"} {
			all = append(all, pl.config.BaseURL+"/"+s.Slug+format)
		}
	}
	return all
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return fmt.Sprintf("%x", sum[:6])
}
