// Probe is what a test's pod runs: it answers over HTTP, asks another pod, or writes to a file.
//
//	probe serve :8080 /data/file   answers every request with the file's content
//	probe get http://service       prints the answer; tries again for a minute until there is one
//	probe write /data/file text    writes the file where it does not exist yet
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	attempts = 60
	pause    = time.Second
)

func main() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: probe serve ADDRESS FILE | get URL | write FILE TEXT"))
	}
	switch command, argument := os.Args[1], os.Args[2]; command {
	case "serve":
		fail(http.ListenAndServe(argument, http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
			http.ServeFile(answer, request, os.Args[3])
		})))
	case "get":
		fail(get(argument))
	case "write":
		fail(write(argument, os.Args[3]))
	default:
		fail(fmt.Errorf("no command %q", command))
	}
}

func get(url string) (err error) {
	client := http.Client{Timeout: 5 * time.Second}
	for range attempts {
		var response *http.Response
		if response, err = client.Get(url); err == nil {
			defer response.Body.Close()
			_, err = io.Copy(os.Stdout, response.Body)
			return err
		}
		fmt.Fprintln(os.Stderr, err)
		time.Sleep(pause)
	}
	return err
}

func write(path, text string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if os.IsExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err = io.WriteString(file, text); err != nil {
		return err
	}
	return file.Close()
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
