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

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

// journal writes down what arrived: the proof of what talosctl really sent.
type journal struct {
	mu  sync.Mutex
	out *json.Encoder
}

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

	if apply, ok := request.(*machine.ApplyConfigurationRequest); ok { // the config itself is only counted
		line["data_bytes"] = len(apply.GetData())
		apply = proto.CloneOf(apply)
		apply.Data = nil
		request = apply
	}

	if m, ok := request.(proto.Message); ok {
		if b, err := protojson.Marshal(m); err == nil {
			line["request"] = json.RawMessage(b)
		}
	}

	j.mu.Lock()
	defer j.mu.Unlock()
	j.out.Encode(line) //nolint:errcheck // a journal that cannot be written shows by being empty
}
