// SPDX-License-Identifier: Apache-2.0
// Reads messages as Go's net/http does; the same in and out as ours.c.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
)

type message struct {
	R       string      `json:"r"`
	Method  string      `json:"method"`
	Target  string      `json:"target"`
	Host    string      `json:"host"`
	Status  int         `json:"status"`
	Fields  [][2]string `json:"fields"`
	Body    string      `json:"body"`
	Used    int         `json:"used"`
	End     string      `json:"end"`
	Decoded string      `json:"decoded"`
	Cleaned string      `json:"cleaned"`
}

func hexed(s string) string { return hex.EncodeToString([]byte(s)) }

func fail(err error) message {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return message{R: "more"}
	}
	return message{R: "bad"}
}

func finish(m *message, header http.Header, body io.ReadCloser, size int, in *bytes.Reader, r *bufio.Reader) {
	m.R = "ok"
	for name, values := range header {
		for _, v := range values {
			m.Fields = append(m.Fields, [2]string{hexed(name), hexed(v)})
		}
	}
	content, err := io.ReadAll(body)
	m.Body = hex.EncodeToString(content)
	m.Used = size - in.Len() - r.Buffered()
	m.End = "done"
	if errors.Is(err, io.ErrUnexpectedEOF) {
		m.End = "more"
	} else if err != nil {
		m.End = "bad"
	}
}

func request(data []byte) message {
	in := bytes.NewReader(data)
	r := bufio.NewReader(in)
	q, err := http.ReadRequest(r)
	if err != nil {
		return fail(err)
	}
	m := message{Method: hexed(q.Method), Target: hexed(q.RequestURI), Host: hexed(q.Host)}
	finish(&m, q.Header, q.Body, len(data), in, r)
	return m
}

func response(data []byte) message {
	in := bytes.NewReader(data)
	r := bufio.NewReader(in)
	s, err := http.ReadResponse(r, nil)
	if err != nil {
		return fail(err)
	}
	m := message{Status: s.StatusCode}
	finish(&m, s.Header, s.Body, len(data), in, r)
	return m
}

func readPath(data []byte) message {
	u, err := url.ParseRequestURI(string(data))
	if err != nil || u.RawQuery != "" || u.ForceQuery || u.Host != "" || u.Scheme != "" {
		return message{R: "bad"}
	}
	return message{R: "ok", Decoded: hexed(u.Path), Cleaned: hexed(path.Clean(u.Path))}
}

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	lines := json.NewEncoder(out)
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(in, head); err != nil {
			break
		}
		data := make([]byte, binary.BigEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(in, data); err != nil {
			panic(err)
		}
		switch head[0] {
		case 'q':
			_ = lines.Encode(request(data))
		case 's':
			_ = lines.Encode(response(data))
		default:
			_ = lines.Encode(readPath(data))
		}
	}
	_ = out.Flush()
}
