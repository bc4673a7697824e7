//go:build tools

// Package programs names the media servers that tests run, so that go.mod has their versions.
package programs

import _ "github.com/livekit/livekit-server/cmd/server"
