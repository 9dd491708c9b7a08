//go:build tools

// SPDX-License-Identifier: Apache-2.0

// Package mcp names the MCP servers in Go that the tests run; tests/tools/deps.sh builds them.
package mcp

import _ "github.com/github/github-mcp-server/cmd/github-mcp-server"
