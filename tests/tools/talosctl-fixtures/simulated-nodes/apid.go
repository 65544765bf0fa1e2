package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	siderox509 "github.com/siderolabs/crypto/x509"
	"github.com/siderolabs/grpc-proxy/proxy"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/role"
)

// The front of a node: it ends TLS, finds the caller's roles, and forwards to one node or to many.
// The forwarding is done by the library the real apid uses, so that errors of single nodes in a
// request to several arrive in the shape talosctl has to deal with in reality.

const roleKey = constants.APIAuthzRoleMetadataKey

// The calls whose answer is a stream; an error of a forwarded one is framed differently.
var streamed = regexp.MustCompile(`^/machine\.MachineService/(Copy|DiskUsage|Dmesg|EtcdSnapshot|Events|ImageList|Kubeconfig|List|Logs|PacketCapture|Read)$` +
	`|^/machine\.LifecycleService/(Install|Upgrade)$|^/cluster\.ClusterService/HealthCheck$|Stream$`)

// Only these services may be asked on several nodes at once.
var fannedOut = []string{"machine.MachineService", "cluster.ClusterService", "inspect.InspectService", "storage.StorageService", "time.TimeService"}

func (n *node) apid() (*grpc.Server, error) {
	tlsConfig, err := n.serverTLS()
	if err != nil {
		return nil, err
	}

	return grpc.NewServer(
		grpc.Creds(credentials.NewTLS(tlsConfig)),
		grpc.ForceServerCodecV2(proxy.Codec()),
		grpc.MaxRecvMsgSize(constants.GRPCMaxMessageSize),
		grpc.UnknownServiceHandler(proxy.TransparentHandler(n.direct, proxy.WithStreamedDetector(streamed.MatchString))),
	), nil
}

// direct decides where a request goes.
func (n *node) direct(ctx context.Context, method string) (proxy.Mode, []proxy.Backend, error) {
	if n.kind == stuck {
		<-ctx.Done()

		return proxy.One2One, nil, status.FromContextError(ctx.Err()).Err()
	}

	here := []proxy.Backend{&backend{target: n.addr, from: n, to: n}}

	if n.kind == maintenance {
		return proxy.One2One, here, nil
	}

	md, _ := metadata.FromIncomingContext(ctx)

	if targets := md.Get("nodes"); len(targets) > 0 {
		service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
		if !slices.Contains(fannedOut, service) {
			return proxy.One2One, nil, status.Errorf(codes.InvalidArgument, "one-2-many proxying is not supported for method %s", method)
		}

		var backends []proxy.Backend

		for _, target := range targets {
			b, err := n.remote(target)
			if err != nil {
				return proxy.One2Many, nil, status.Error(codes.Internal, err.Error())
			}

			backends = append(backends, b)
		}

		return proxy.One2Many, backends, nil
	}

	if targets := md.Get("node"); len(targets) > 1 {
		return proxy.One2One, nil, status.Error(codes.InvalidArgument, "node metadata must be single-valued")
	} else if len(targets) == 1 {
		b, err := n.remote(targets[0])
		if err != nil {
			return proxy.One2One, nil, status.Error(codes.Internal, err.Error())
		}

		return proxy.One2One, []proxy.Backend{b}, nil
	}

	return proxy.One2One, here, nil
}

func (n *node) remote(target string) (proxy.Backend, error) {
	if _, _, err := net.SplitHostPort(target); err == nil || target == "" {
		return nil, fmt.Errorf("invalid target %q", target)
	}

	return &backend{target: target, from: n, to: n.cluster.byAddress(target)}, nil
}

// The front passes messages on without knowing their types.
var rawFrames = grpc.WithDefaultCallOptions(grpc.ForceCodecV2(proxy.Codec()), grpc.MaxCallRecvMsgSize(constants.GRPCMaxMessageSize))

// backend is the way from one node's front to a node's services.
type backend struct {
	target string
	from   *node
	to     *node
}

func (b *backend) String() string { return b.target }

func (b *backend) GetConnection(ctx context.Context, _ string) (context.Context, *grpc.ClientConn, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	md = md.Copy()

	for _, key := range []string{":authority", "nodes", "node"} {
		delete(md, key)
	}

	md.Set(roleKey, b.from.roles(ctx).Strings()...)
	out := metadata.NewOutgoingContext(ctx, md)

	if b.to != nil && b.to.local != nil && b.to.kind != maintenance || b.to == b.from {
		return out, b.to.local, nil
	}

	// Nobody the front could trust is there: let the network say what it would say.
	host := b.target
	if b.to != nil {
		host = b.to.addr
	}

	ip := net.ParseIP(host)
	if ip == nil || !ip.IsLoopback() {
		return out, nil, status.Errorf(codes.Unavailable, "simulated-nodes: %q is not one of the simulated nodes", b.target)
	}

	conn, err := grpc.NewClient(net.JoinHostPort(host, strconv.Itoa(b.from.cluster.port)), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: b.from.pool()})), rawFrames)

	return out, conn, err
}

// AppendInfo adds the node's name to its answer: protobuf lets a field be appended to an encoded message.
func (b *backend) AppendInfo(streaming bool, response []byte) ([]byte, error) {
	name, err := proto.Marshal(&common.Empty{Metadata: &common.Metadata{Hostname: b.target}})
	if err != nil {
		return nil, err
	}

	if streaming {
		return append(response, name...), nil
	}

	num, typ, tagLen := protowire.ConsumeTag(response)
	if num != 1 || typ != protowire.BytesType {
		return nil, fmt.Errorf("unexpected message format: %d", num)
	}

	inner, _ := protowire.ConsumeBytes(response[tagLen:])

	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), slices.Concat(inner, name)), nil
}

// BuildError turns the failure of one node into an answer that names it.
func (b *backend) BuildError(streaming bool, err error) ([]byte, error) {
	one := &common.Empty{Metadata: &common.Metadata{Hostname: b.target, Error: err.Error(), Status: status.Convert(err).Proto()}}

	if streaming {
		return proto.Marshal(one)
	}

	return proto.Marshal(&common.EmptyResponse{Messages: []*common.Empty{one}})
}

// roles of the caller: what the client certificate says, or reader for everybody in maintenance.
func (n *node) roles(ctx context.Context) role.Set {
	if n.kind == maintenance {
		return role.MakeSet(role.Reader)
	}

	p, ok := peer.FromContext(ctx)
	if !ok {
		return role.Zero
	}

	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return role.Zero
	}

	roles, _ := role.Parse(info.State.PeerCertificates[0].Subject.Organization)

	return roles
}

func (n *node) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(n.authority().Crt)

	return pool
}

func (n *node) authority() *pemPair {
	bundle := n.cluster.bundle
	if n.foreign {
		bundle = n.cluster.foreign
	}

	return &pemPair{Crt: bundle.Certs.OS.Crt, Key: bundle.Certs.OS.Key}
}

type pemPair struct{ Crt, Key []byte }

func (n *node) serverTLS() (*tls.Config, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: n.name},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.ParseIP(n.certified())},
		DNSNames:     []string{n.name},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}

	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}

	config := &tls.Config{MinVersion: tls.VersionTLS13}

	if n.kind == maintenance { // an authority of its own that nobody has heard of
		own, err := siderox509.NewSelfSignedCertificateAuthority()
		if err != nil {
			return nil, err
		}

		der, err := x509.CreateCertificate(rand.Reader, template, own.Crt, public, own.Key)
		if err != nil {
			return nil, err
		}

		config.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}

		return config, nil
	}

	authority, err := parseAuthority(n.authority())
	if err != nil {
		return nil, err
	}

	der, err := x509.CreateCertificate(rand.Reader, template, authority.Leaf, public, authority.PrivateKey)
	if err != nil {
		return nil, err
	}

	config.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = n.pool()

	return config, nil
}

// certified is the address the server certificate is good for.
func (n *node) certified() string {
	if n.misnamed {
		return "127.5.0.200"
	}

	return n.addr
}

func parseAuthority(pair *pemPair) (*tls.Certificate, error) {
	crt, _ := pem.Decode(pair.Crt)
	key, _ := pem.Decode(pair.Key)

	if crt == nil || key == nil {
		return nil, fmt.Errorf("the secrets hold no PEM certificate and key for the OS CA")
	}

	leaf, err := x509.ParseCertificate(crt.Bytes)
	if err != nil {
		return nil, err
	}

	private, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		return nil, err
	}

	return &tls.Certificate{Leaf: leaf, PrivateKey: private}, nil
}
