package fetch

import "testing"

func TestCanonicalLink(t *testing.T) {
	for _, test := range []struct{ link, want string }{
		{"https://outlet.example/a/b", "https://outlet.example/a/b"},
		{"http://outlet.example/a/b", "https://outlet.example/a/b"},
		{"HTTP://WWW.Outlet.Example:80/A/b/", "https://outlet.example/A/b"},
		{"https://outlet.example:443/a", "https://outlet.example/a"},
		{"http://outlet.example:443/a", "https://outlet.example/a"},
		{"https://www.outlet.example:443:", "https://www.outlet.example:443:"},
		{"http://127.0.0.1:8080/wire/7?utm_source=outlet3&utm_medium=rss&fbclid=00c0ffee", "https://127.0.0.1:8080/wire/7"},
		{"http://127.0.0.1:8080/item/3/7?src=wire", "https://127.0.0.1:8080/item/3/7?src=wire"},
		{"https://[2001:db8::1]:8080/a", "https://[2001:db8::1]:8080/a"},
		{"https://outlet.example", "https://outlet.example/"},
		{"https://www.example", "https://www.example/"},
		{"https://outlet.example./a", "https://outlet.example/a"},
		{"https://user:secret@outlet.example/a", "https://outlet.example/a"},
		{"https://bücher.example/über", "https://xn--bcher-kva.example/%C3%BCber"},
		// What names the article stays.
		{"https://outlet.example/?p=12", "https://outlet.example/?p=12"},
		{"https://outlet.example/index.php?id=5&lang=en", "https://outlet.example/index.php?id=5&lang=en"},
		{"https://outlet.example/news/article.cfm?c_id=1&objectid=12327911&amp;ref=rss", "https://outlet.example/news/article.cfm?c_id=1&objectid=12327911"},
		{"https://outlet.example/news/article.cfm?c_id=1&amp;amp;objectid=12", "https://outlet.example/news/article.cfm?c_id=1&objectid=12"},
		{"https://outlet.example/watch?v=abc&t=70s", "https://outlet.example/watch?v=abc&t=70s"},
		{"https://outlet.example/s?source=gazette&ref=2020-03", "https://outlet.example/s?source=gazette&ref=2020-03"},
		{"https://outlet.example/?q=rss", "https://outlet.example/?q=rss"},
		// What tells where a reader came from goes.
		{"https://outlet.example/a?ref=rss&utm_medium=rss&utm_source=rss", "https://outlet.example/a"},
		{"https://outlet.example/a?at_medium=RSS&at_campaign=KARANGA&id=3", "https://outlet.example/a?id=3"},
		{"https://outlet.example/a?ns_mchannel=rss&ns_campaign=1490", "https://outlet.example/a"},
		{"https://outlet.example/a?ito=1490&gclid=x&mc_cid=1&mc_eid=2&igshid=3&cmpid=4", "https://outlet.example/a"},
		{"https://outlet.example/a?CMP=share_btn_url&fbclid=IwY2", "https://outlet.example/a"},
		{"https://outlet.example/a?source=rss-103cb4aea3c2------2", "https://outlet.example/a"},
		{"https://outlet.example/a?maca=chi-rss-chi-all-1127-rdf", "https://outlet.example/a"},
		{"https://outlet.example/a?xtor=RSS-3208", "https://outlet.example/a"},
		{"https://outlet.example/a?_location=rss", "https://outlet.example/a"},
		{"https://outlet.example/view/326649?rss", "https://outlet.example/view/326649"},
		{"https://outlet.example/a?partner=rss&emc=rss", "https://outlet.example/a"},
		{"https://outlet.example/a;jsessionid=0A1B?id=1", "https://outlet.example/a?id=1"},
		// Spelling.
		{"https://outlet.example/a#comments", "https://outlet.example/a"},
		{"https://outlet.example/#!/a/1", "https://outlet.example/#!/a/1"},
		{"https://outlet.example/%7euser/%e4%bd%a0?x=%2f", "https://outlet.example/~user/%E4%BD%A0?x=%2F"},
		{"https://outlet.example/你 好/100%", "https://outlet.example/%E4%BD%A0%20%E5%A5%BD/100%25"},
		{"https://outlet.example/a/../b/./c", "https://outlet.example/b/c"},
		{"https://www.google.com/ur%6c/?amp;amp;q=https://outlet.example/a%", "https://outlet.example/a%25"},
		{"https://www.google.com/url?url=http://%", "https://google.com/url?url=http://%25"},
		{"https://outlet.example/a?%75tm_source=x&%61mp;b=c", "https://outlet.example/a?b=c"},
		{"https://ｗｗｗ.outlet.example。/a", "https://outlet.example/a"},
		{"https://www.google.com/url?rct=j&sa=t&url=https://outlet.example/a%3Fid%3D2&ct=ga&usg=AFQ", "https://outlet.example/a?id=2"},
		// No address.
		{"", ""},
		{"mailto:a@outlet.example", "mailto:a@outlet.example"},
	} {
		got := CanonicalLink(test.link)
		if got != test.want {
			t.Errorf("CanonicalLink(%q) = %q, want %q", test.link, got, test.want)
		}
		if again := CanonicalLink(got); again != got {
			t.Errorf("CanonicalLink(%q) = %q, canonical already", got, again)
		}
	}
}
