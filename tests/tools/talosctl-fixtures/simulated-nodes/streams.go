package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/siderolabs/crypto/x509"
	clusterapi "github.com/siderolabs/talos/pkg/machinery/api/cluster"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/api/storage"
	clientconfig "github.com/siderolabs/talos/pkg/machinery/client/config"
)

func (s *services) Read(r *machine.ReadRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	switch r.Path {
	case "/proc/sys/kernel/random/boot_id":
		s.n.mu.Lock()
		boots := s.n.boots
		s.n.mu.Unlock()

		return stream.Send(&common.Data{Bytes: fmt.Appendf(nil, "5b0f5a4e-7a0d-4c2b-8c1c-%012d\n", boots)})
	case "/etc/os-release":
		return stream.Send(&common.Data{Bytes: []byte("NAME=\"Talos\"\nID=talos\nVERSION_ID=v1.13.0\nPRETTY_NAME=\"Talos (v1.13.0)\"\n")})
	case "/proc":
		return fmt.Errorf("path must be a regular file")
	default:
		return status.Errorf(codes.NotFound, "stat %s: no such file or directory", r.Path)
	}
}

// Kubeconfig sends the admin kubeconfig as the only file of a compressed archive.
func (s *services) Kubeconfig(_ *emptypb.Empty, stream grpc.ServerStreamingServer[common.Data]) error {
	if err := s.needsControlPlane("kubeconfig"); err != nil {
		return err
	}

	text, err := s.adminKubeconfig()
	if err != nil {
		return err
	}

	var buf bytes.Buffer

	zip := gzip.NewWriter(&buf)
	archive := tar.NewWriter(zip)

	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "kubeconfig", Size: int64(len(text)), ModTime: time.Now(), Mode: 0o600}); err != nil {
		return err
	}

	if _, err := archive.Write([]byte(text)); err != nil {
		return err
	}

	if err := zip.Close(); err != nil {
		return err
	}

	return stream.Send(&common.Data{Bytes: buf.Bytes()})
}

func (s *services) adminKubeconfig() (string, error) {
	ca, err := x509.NewCertificateAuthorityFromCertificateAndKey(s.n.cluster.bundle.Certs.K8s)
	if err != nil {
		return "", err
	}

	pair, err := x509.NewKeyPair(ca, x509.CommonName("admin"), x509.Organization("system:masters"), x509.NotAfter(time.Now().Add(365*24*time.Hour)))
	if err != nil {
		return "", err
	}

	client := x509.NewCertificateAndKeyFromKeyPair(pair)
	name := s.n.active.Cluster().Name()
	b64 := base64.StdEncoding.EncodeToString

	return strings.NewReplacer(
		"NAME", name, "SERVER", s.n.active.Cluster().Endpoint().String(),
		"AUTHORITY", b64(ca.CrtPEM), "CERTIFICATE", b64(client.Crt), "PRIVATE", b64(client.Key),
	).Replace(`apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: AUTHORITY
    server: SERVER
  name: NAME
contexts:
- context:
    cluster: NAME
    namespace: default
    user: admin@NAME
  name: admin@NAME
current-context: admin@NAME
kind: Config
users:
- name: admin@NAME
  user:
    client-certificate-data: CERTIFICATE
    client-key-data: PRIVATE
`), nil
}

// The checks of `health`, in order, as the node words them.
var healthChecks = []string{
	"etcd to be healthy", "etcd members to be consistent across nodes", "etcd members to be control plane nodes", "apid to be ready",
	"all nodes memory sizes", "all nodes disk sizes", "no diagnostics", "kubelet to be healthy", "all nodes to finish boot sequence",
	"all k8s nodes to report", "all control plane static pods to be running", "all control plane components to be ready",
	"all k8s nodes to report ready", "kube-proxy to report ready", "coredns to report ready", "all k8s nodes to report schedulable",
}

func (s *services) HealthCheck(r *clusterapi.HealthCheckRequest, stream grpc.ServerStreamingServer[clusterapi.HealthCheckProgress]) error {
	if err := s.needsControlPlane("cluster health check"); err != nil {
		return err
	}

	say := func(format string, args ...any) error {
		return stream.Send(&clusterapi.HealthCheckProgress{Message: fmt.Sprintf(format, args...)})
	}

	addresses := append(append([]string{}, r.GetClusterInfo().GetControlPlaneNodes()...), r.GetClusterInfo().GetWorkerNodes()...)
	if len(addresses) == 0 {
		for _, n := range append(s.n.cluster.controlPlanes(), s.n.cluster.workers()...) {
			addresses = append(addresses, n.addr)
		}
	}

	if err := say("discovered nodes: %q", addresses); err != nil {
		return err
	}

	for _, check := range healthChecks {
		if err := say("waiting for %s: ...", check); err != nil {
			return err
		}

		if s.n.cluster.sick && check == healthChecks[0] {
			if err := say("waiting for %s: 1 error occurred:\n\t* %s: service \"etcd\" not in expected state \"Running\": current state [Failed] Failed to run pre stage", check, s.n.cluster.controlPlanes()[1].addr); err != nil {
				return err
			}

			ctx, cancel := context.WithTimeout(stream.Context(), r.GetWaitTimeout().AsDuration())
			defer cancel()

			<-ctx.Done()

			return ctx.Err()
		}

		if err := say("waiting for %s: OK", check); err != nil {
			return err
		}
	}

	return nil
}

// Disks is the old call that a client makes to see whether a node answers in maintenance.
func (s *services) Disks(context.Context, *emptypb.Empty) (*storage.DisksResponse, error) {
	return &storage.DisksResponse{Messages: []*storage.Disks{{Disks: []*storage.Disk{
		{Size: diskSize, Model: "SIM NVMe 256", DeviceName: systemDisk, Serial: "SIM-" + s.n.name, SystemDisk: s.n.kind != maintenance},
	}}}}, nil
}

func clientConfig(name string, ca, crt, key []byte) ([]byte, error) {
	return clientconfig.NewConfig(name, nil, ca, &x509.PEMEncodedCertificateAndKey{Crt: crt, Key: key}).Bytes()
}
