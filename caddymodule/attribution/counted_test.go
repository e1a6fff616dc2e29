package attribution

import (
	"net/http"
	"strings"
	"testing"
)

func TestPrefetch(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        bool
	}{
		{"Sec-Purpose", "prefetch", true},
		{"Sec-Purpose", "prefetch;prerender", true},
		{"Sec-Purpose", "prefetch; anonymous-client-ip", true},
		{"Sec-Purpose", "PREFETCH", true},
		{"Sec-Purpose", "a, prerender", true},
		{"Purpose", "prefetch", true},
		{"Purpose", "preview", true},
		{"X-Purpose", "preview", true},
		{"X-Moz", "prefetch", true},
		{"Sec-Purpose", "", false},
		{"Sec-Purpose", "navigate", false},
		{"Sec-Purpose", "prefetching", false},
		{"Purpose", ";,;", false},
		{"X-Other", "prefetch", false},
	} {
		h := http.Header{}
		h.Set(test.name, test.value)
		if got := Prefetch(h); got != test.want {
			t.Errorf("%s: %s is %t", test.name, test.value, got)
		}
	}
	if !Prefetch(http.Header{"Purpose": {"", "prefetch"}}) {
		t.Error("the second line was not read")
	}
	if Prefetch(nil) {
		t.Error("a request without fields is ahead of nothing")
	}
}

func TestCrawler(t *testing.T) {
	for _, agent := range []string{
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/131.0.0.0 Safari/537.36",
		"Googlebot-Image/1.0", "AdsBot-Google (+http://www.google.com/adsbot.html)", "Mediapartners-Google",
		"Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
		"Mozilla/5.0 (compatible; YandexImages/3.0; +http://yandex.com/bots)",
		"Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
		"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "Twitterbot/1.0", "WhatsApp/2.23.20.0 A",
		"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "TelegramBot (like TwitterBot)",
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
		"Mozilla/5.0 (compatible; archive.org_bot +http://archive.org/details/archive.org_bot)",
		"a-new-one_Bot", "NEWSPIDER", "my crawler", "Mozilla/5.0 Chrome-Lighthouse", "GOOGLEBOT",
	} {
		if !Crawler(agent) {
			t.Errorf("%s is taken for a visitor", agent)
		}
	}
	for _, agent := range []string{
		"",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
		"Mozilla/5.0 (Linux; Android 7.0; CUBOT_NOTE_S Build/NRD90M) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0.4664.45 Mobile Safari/537.36",
		"Mozilla/5.0 (Linux; Android 10; CUBOT) AppleWebKit/537.36",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 YaBrowser/24.6.0 Yowser/2.5 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/22B83 [FBAN/FBIOS;FBAV/490.0]",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/22B83 [Pinterest/iOS]",
		"Mozilla/5.0 (Linux; Android 14; SM-S918B) Mobile Safari/537.36 Line/14.19.1/IAB",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36",
		"Go-http-client/1.1", "curl/8.5.0", "bottle", "botany/1.0 spiderman", strings.Repeat("x", 4096),
	} {
		if Crawler(agent) {
			t.Errorf("%s is taken for a crawler", agent)
		}
	}
}

// TestCrawlersList: every name in it is known, and is in it once.
func TestCrawlersList(t *testing.T) {
	seen := make(map[string]bool)
	for line := range strings.Lines(crawlerText) {
		name, _, _ := strings.Cut(line, "#")
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if !Crawler("Mozilla/5.0 (compatible; " + strings.ToUpper(name) + "/1.0)") {
			t.Errorf("%s is taken for a visitor", name)
		}
		if folded := strings.ToLower(name); seen[folded] {
			t.Errorf("%s is there twice", name)
		} else {
			seen[folded] = true
		}
	}
	if len(seen) < 50 {
		t.Errorf("the list has %d names", len(seen))
	}
}
