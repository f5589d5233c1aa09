package door

import "testing"

func TestEveryPathHasItsDoor(t *testing.T) {
	const several = "http://h:8080, /v1/directory=http://h:8083,/v1/cases=https://h/ledger/,/v1/directory/imports=http://h:9"
	for _, tc := range []struct{ name, address, path, want string }{
		{"one address serves all paths", "http://h:8080/", "/v1/mailbox", "http://h:8080"},
		{"a path of another door goes there", several, "/v1/directory/offices/fs-1", "http://h:8083"},
		{"a path that only begins alike does not", several, "/v1/directory-of-others", "http://h:8080"},
		{"the prefix itself does", several, "/v1/directory", "http://h:8083"},
		{"a query is no path", several, "/v1/events?x=/v1/directory/", "http://h:8080"},
		{"the longest prefix wins", several, "/v1/directory/imports/1?y", "http://h:9"},
		{"a door may have a path of its own", several, "/v1/cases/a", "https://h/ledger"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := parseAddress(tc.address)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.of(tc.path).String(); got != tc.want {
				t.Errorf("%s is asked at %s, want %s", tc.path, got, tc.want)
			}
		})
	}
}

func TestAnAddressThatCannotBeReadIsRefused(t *testing.T) {
	for _, text := range []string{"", "h:8080", "ftp://h", "http://", "http://h,", "http://h,http://g", "http://h,v1=http://g", "http://h,/v1=", "http://h,/v1=g:1"} {
		if _, err := New(text, "dev-cnaf"); err == nil {
			t.Errorf("%q is taken for an address", text)
		}
	}
}
