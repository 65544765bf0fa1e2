package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"sync"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// journal writes down what arrived: the proof of what talosctl really sent.
type journal struct {
	mu  sync.Mutex
	out *json.Encoder
}

// The longest request that is written out; a machine config is only counted.
const longestRequest = 600

func openJournal(path string) (*journal, error) {
	if path == "" {
		return &journal{out: json.NewEncoder(io.Discard)}, nil
	}

	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}

	return &journal{out: json.NewEncoder(f)}, nil
}

func (j *journal) record(ctx context.Context, n *node, method string, request any) {
	line := map[string]any{"node": n.name, "method": method}

	if md, ok := metadata.FromIncomingContext(ctx); ok {
		line["roles"] = md.Get(roleKey)
	}

	if m, ok := request.(proto.Message); ok {
		b, err := protojson.Marshal(m)
		if err == nil {
			if len(b) > longestRequest {
				line["request_bytes"] = len(b)
			} else {
				line["request"] = json.RawMessage(b)
			}
		}
	}

	j.mu.Lock()
	defer j.mu.Unlock()
	j.out.Encode(line) //nolint:errcheck // a journal that cannot be written shows by being empty
}
