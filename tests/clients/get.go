// SPDX-License-Identifier: Apache-2.0

// Gets a URL with net/http as it comes and prints the status.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	response, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	response.Body.Close()
	fmt.Println(response.StatusCode)
}
