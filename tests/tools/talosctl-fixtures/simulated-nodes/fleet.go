package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/cosi-project/runtime/pkg/state"
	"google.golang.org/grpc"

	machineapi "github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
)

// How an address behaves towards a client.
type behaviour int

const (
	configured  behaviour = iota // mTLS, roles from the client certificate
	maintenance                  // any client, role os:reader, no forwarding
	silent                       // accepts the connection and never says a word
	stuck                        // mTLS works, no request is ever answered
	absent                       // nothing listens
)

// node is one simulated machine. Fields below mu change while it runs.
type node struct {
	name    string
	addr    string
	kind    behaviour
	role    machine.Type
	foreign bool // belongs to a cluster with another CA
	// its certificate names another address
	misnamed bool
	release  string // of Talos, where it is not that of the others
	member   uint64
	cluster  *fleet

	resources state.State
	local     *grpc.ClientConn // to this node's own services, without TLS

	mu        sync.Mutex
	persisted config.Provider // what the next boot would use
	active    config.Provider
	etcd      etcdState
	boots     int // the boot id changes with it
	watchers  []chan *machineapi.Event
	front     *grpc.Server
	mute      net.Listener
}

// etcdState is what the data directory and the daemon of a control plane look like.
type etcdState struct {
	empty   bool // no data: bootstrap is possible, nothing answers
	down    bool // data, but the daemon does not run
	alarm   bool // NOSPACE is raised
	learner bool
}

type fleet struct {
	dir     string
	port    int
	nodes   []*node
	bundle  *secrets.Bundle
	foreign *secrets.Bundle
	sick    bool // `health` does not come to an end
}

func inventory() []*node {
	cp := func(n int) *node {
		return &node{
			name: fmt.Sprintf("cp-%d", n), addr: fmt.Sprintf("127.5.0.%d", 10+n), role: machine.TypeControlPlane,
			member: []uint64{0, 0x2a34b1d1f7c3e8a1, 0x6f0ad9c05b7e4412, 0xc1d27f3388ab9050, 0xee90bb17aa31d6f4}[n],
		}
	}
	worker := func(n int) *node {
		return &node{name: fmt.Sprintf("w-%d", n), addr: fmt.Sprintf("127.5.0.%d", 20+n), role: machine.TypeWorker}
	}

	fresh := cp(4) // configured, waits for its first bootstrap
	fresh.etcd.empty = true

	return []*node{
		cp(1), cp(2), cp(3), fresh, worker(1), worker(2),
		{name: "bare-1", addr: "127.5.0.31", kind: maintenance, role: machine.TypeUnknown},
		{name: "foreign-1", addr: "127.5.0.41", role: machine.TypeControlPlane, foreign: true, member: 0x77},
		{name: "misnamed-1", addr: "127.5.0.42", role: machine.TypeControlPlane, misnamed: true, member: 0x78, etcd: etcdState{empty: true}},
		{name: "older-1", addr: "127.5.0.43", role: machine.TypeWorker, release: "v1.12.6"},
		{name: "silent-1", addr: "127.5.0.51", kind: silent},
		{name: "stuck-1", addr: "127.5.0.52", kind: stuck, role: machine.TypeWorker},
		{name: "absent-1", addr: "127.5.0.99", kind: absent},
	}
}

func loadFleet(dir string, port int) (*fleet, error) {
	c := &fleet{dir: dir, port: port, nodes: inventory()}

	var err error

	if c.bundle, err = secrets.LoadBundle(filepath.Join(dir, "secrets.yaml")); err != nil {
		return nil, err
	}

	if c.foreign, err = secrets.LoadBundle(filepath.Join(dir, "foreign-secrets.yaml")); err != nil {
		return nil, err
	}

	for _, n := range c.nodes {
		n.cluster = c

		if n.kind != configured {
			continue
		}

		file := n.name
		switch {
		case n.foreign || n.misnamed:
			file = "cp-1" // its config is never looked at, its certificate is
		case n.release != "":
			file = "w-1"
		}

		data, err := os.ReadFile(filepath.Join(dir, file+".yaml"))
		if err != nil {
			return nil, err
		}

		if n.persisted, err = configloader.NewFromBytes(data); err != nil {
			return nil, fmt.Errorf("%s.yaml: %w", file, err)
		}

		n.active = n.persisted
	}

	return c, nil
}

// change applies one `-set NODE.PROPERTY=VALUE`.
func (c *fleet) change(text string) error {
	target, value, ok := strings.Cut(text, "=")
	name, property, ok2 := strings.Cut(target, ".")

	if !ok || !ok2 {
		return fmt.Errorf("expected NODE.PROPERTY=VALUE")
	}

	on, err := strconv.ParseBool(value)
	if err != nil {
		return err
	}

	if name == "cluster" && property == "sick" {
		c.sick = on

		return nil
	}

	for _, n := range c.nodes {
		if n.name != name {
			continue
		}

		switch property {
		case "etcd-down":
			n.etcd.down = on
		case "etcd-alarm":
			n.etcd.alarm = on
		case "etcd-learner":
			n.etcd.learner = on
		case "absent":
			n.kind = absent
		default:
			return fmt.Errorf("no property %q", property)
		}

		return nil
	}

	return fmt.Errorf("no node %q", name)
}

// serve opens every node's listeners and returns once all of them accept connections.
func (c *fleet) serve(requests *journal) error {
	for _, n := range c.nodes {
		if n.kind == absent || n.kind == silent {
			continue
		}

		if err := n.startServices(requests); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
	}

	for _, n := range c.nodes {
		if n.kind == absent {
			continue
		}

		if err := n.listen(); err != nil {
			return fmt.Errorf("%s: %w (only Linux answers on all of 127.0.0.0/8 by itself)", n.name, err)
		}
	}

	return nil
}

// listen opens the node's front. It is called again when the node comes back from a boot.
func (n *node) listen() error {
	listener, err := net.Listen("tcp", net.JoinHostPort(n.addr, strconv.Itoa(n.cluster.port)))
	if err != nil {
		return err
	}

	if n.kind == silent { // the kernel completes the TCP handshake, nobody reads
		n.mute = listener

		return nil
	}

	front, err := n.apid()
	if err != nil {
		return err
	}

	n.mu.Lock()
	n.front = front
	n.mu.Unlock()

	go front.Serve(listener) //nolint:errcheck // ends with the process or with the node

	return nil
}

func (n *node) talos() string {
	if n.release != "" {
		return n.release
	}

	return "v1.13.0"
}

func (c *fleet) byAddress(addr string) *node {
	for _, n := range c.nodes {
		if n.addr == addr || n.name == addr {
			return n
		}
	}

	return nil
}

// controlPlanes are those whose etcd holds the cluster's data.
func (c *fleet) controlPlanes() []*node {
	var found []*node

	for _, n := range c.nodes {
		if n.role == machine.TypeControlPlane && !n.foreign && !n.etcd.empty {
			found = append(found, n)
		}
	}

	return found
}

func (c *fleet) workers() []*node {
	var found []*node

	for _, n := range c.nodes {
		if n.role == machine.TypeWorker && n.kind == configured && n.release == "" {
			found = append(found, n)
		}
	}

	return found
}
