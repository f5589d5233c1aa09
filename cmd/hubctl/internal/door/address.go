package door

import (
	"fmt"
	"net/url"
	"strings"
)

// address is where the hub is. An ingress, or one process, serves all its paths at
// one base; where services run one by one, each has its own.
type address struct {
	base  *url.URL
	parts []part
}

// part is the base of the paths under prefix.
type part struct {
	prefix string
	base   *url.URL
}

// parseAddress reads http://host:port, and after commas further doors, each with
// the paths that are behind it: `http://h:8080,/v1/directory=http://h:8083`.
func parseAddress(text string) (address, error) {
	first, rest, more := strings.Cut(text, ",")
	base, err := parseBase(first)
	if err != nil {
		return address{}, err
	}
	a := address{base: base}
	for more {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		prefix, at, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok || !strings.HasPrefix(prefix, "/") {
			return address{}, fmt.Errorf("a further door of the hub is %q: give it as /v1/directory=http://host:port", item)
		}
		if base, err = parseBase(at); err != nil {
			return address{}, err
		}
		a.parts = append(a.parts, part{strings.TrimRight(prefix, "/"), base})
	}
	return a, nil
}

func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the hub's address is %q: give it as http://host:port", text)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

// of is the base for a path, which may hold a query. The longest prefix wins.
func (a address) of(path string) *url.URL {
	path, _, _ = strings.Cut(path, "?")
	best, length := a.base, 0
	for _, p := range a.parts {
		under := path == p.prefix || strings.HasPrefix(path, p.prefix+"/")
		if under && len(p.prefix) > length {
			best, length = p.base, len(p.prefix)
		}
	}
	return best
}
