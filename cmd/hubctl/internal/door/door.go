// Package door is hubctl's way to the hub: its public and admin doors over HTTP,
// and the problem documents in which they answer. It knows no command.
package door

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"
)

// maxAnswer bounds an answer that is read as a whole.
const maxAnswer = 64 << 20

// Client talks to one hub as one participant. It is safe for concurrent use.
type Client struct {
	at    address
	token string
	http  *http.Client
}

// New makes a client of the hub at base, such as http://127.0.0.1:8080. Services
// that run one by one, with no ingress before them, are reached with further doors
// by path: http://127.0.0.1:8080,/v1/directory=http://127.0.0.1:8083. The error
// says what is wrong with base.
func New(base, token string) (*Client, error) {
	at, err := parseAddress(base)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	return &Client{at: at, token: token, http: &http.Client{Transport: transport}}, nil
}

// Trust has the client believe, of doors that speak TLS, those whose certificates
// are signed by whom the file names in PEM, and nobody else.
func (c *Client) Trust(caFile string) error {
	text, err := os.ReadFile(caFile) //nolint:gosec // the caller names it
	if err != nil {
		return err
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(text) {
		return errors.New(caFile + " holds no certificate in PEM")
	}
	c.http.Transport.(*http.Transport).TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted}
	return nil
}

// Base is the address of the hub's door for a path.
func (c *Client) Base(path string) string { return c.at.of(path).String() }

// Request is what is asked of a door. Path is escaped and may hold a query.
type Request struct {
	Method, Path string
	Header       http.Header
	Body         []byte
}

// Do sends the request. An answer that is no success comes back as a *Problem; a
// hub that cannot be reached as an *AwayError. The caller closes the body.
func (c *Client) Do(ctx context.Context, q Request) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, q.Method, c.Base(q.Path)+q.Path, bytes.NewReader(q.Body))
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, q.Header)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	r.Header.Set("User-Agent", "hubctl")
	res, err := c.http.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &AwayError{Hub: c.Base(q.Path), Err: unwrapURL(err)}
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	return nil, readProblem(res)
}

func unwrapURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// JSON sends the request and reads the answer into v.
func (c *Client) JSON(ctx context.Context, q Request, v any) error {
	data, err := c.Bytes(ctx, q)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("the answer of %s %s is not what was expected: %w", q.Method, q.Path, err)
	}
	return nil
}

// Bytes sends the request and reads the whole answer.
func (c *Client) Bytes(ctx context.Context, q Request) ([]byte, error) {
	res, err := c.Do(ctx, q)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, &AwayError{Hub: c.Base(q.Path), Err: err}
	case len(data) > maxAnswer:
		return nil, fmt.Errorf("the answer of %s %s is larger than %d bytes", q.Method, q.Path, maxAnswer)
	}
	return data, nil
}

// Get asks for path and reads the answer into v.
func (c *Client) Get(ctx context.Context, path string, v any) error {
	return c.JSON(ctx, Request{Method: http.MethodGet, Path: path}, v)
}

// AwayError says that no hub answered. Nothing is known of what was asked.
type AwayError struct {
	Hub string
	Err error
}

func (e *AwayError) Error() string {
	if errors.Is(e.Err, syscall.ECONNREFUSED) {
		return fmt.Sprintf("no hub listens at %s: start it, or give its address with --hub", e.Hub)
	}
	return fmt.Sprintf("the hub at %s does not answer (%v): see whether it runs, or give another address with --hub", e.Hub, e.Err)
}

func (e *AwayError) Unwrap() error { return e.Err }

// Passing says whether a later try of the same may succeed: the hub is away, not
// ready, or asks to be left alone for a moment.
func Passing(err error) bool {
	var away *AwayError
	var p *Problem
	return errors.As(err, &away) || errors.As(err, &p) && p.Passing()
}
