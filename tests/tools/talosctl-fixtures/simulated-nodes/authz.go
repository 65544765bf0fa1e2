package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/siderolabs/talos/pkg/machinery/role"
)

// Who may call what, as in Talos 1.13.0 (internal/app/machined/pkg/system/services/machined.go).
// What is not named here is for os:admin alone.
var (
	everybody  = role.MakeSet(role.Admin, role.Operator, role.Reader)
	operators  = role.MakeSet(role.Admin, role.Operator)
	admins     = role.MakeSet(role.Admin)
	backups    = role.MakeSet(role.Admin, role.Operator, role.Reader, role.EtcdBackup)
	checkLater = role.MakeSet(role.Admin, role.Reader) // the handler looks again, unless in maintenance

	allowed = map[string]role.Set{
		"/cluster.ClusterService/HealthCheck":        everybody,
		"/machine.MachineService/ApplyConfiguration": checkLater,
		"/machine.MachineService/Dmesg":              everybody,
		"/machine.MachineService/EtcdAlarmList":      backups,
		"/machine.MachineService/EtcdMemberList":     backups,
		"/machine.MachineService/EtcdSnapshot":       role.MakeSet(role.Admin, role.Operator, role.EtcdBackup),
		"/machine.MachineService/EtcdStatus":         backups,
		"/machine.MachineService/Events":             everybody,
		"/machine.MachineService/Hostname":           everybody,
		"/machine.MachineService/Logs":               everybody,
		"/machine.MachineService/MetaDelete":         role.MakeSet(role.Admin, role.MetaWriter),
		"/machine.MachineService/MetaWrite":          role.MakeSet(role.Admin, role.MetaWriter),
		"/machine.MachineService/Reboot":             operators,
		"/machine.MachineService/ServiceList":        everybody,
		"/machine.MachineService/ServiceRestart":     operators,
		"/machine.MachineService/ServiceStart":       operators,
		"/machine.MachineService/ServiceStop":        operators,
		"/machine.MachineService/Shutdown":           operators,
		"/machine.MachineService/Version":            everybody,
		"/cosi.resource.State/Get":                   everybody,
		"/cosi.resource.State/List":                  everybody,
		"/cosi.resource.State/Watch":                 everybody,
		"/storage.StorageService/BlockDeviceWipe":    checkLater,
		"/storage.StorageService/Disks":              everybody,
		"/time.TimeService/Time":                     everybody,
	}

	errNotAuthorized = status.Error(codes.PermissionDenied, "not authorized")
)

func callerRoles(ctx context.Context) role.Set {
	md, _ := metadata.FromIncomingContext(ctx)
	roles, _ := role.Parse(md.Get(roleKey))

	return roles
}

func authorize(ctx context.Context, method string) error {
	needed, ok := allowed[method]
	if !ok {
		needed = admins
	}

	if !needed.IncludesAny(callerRoles(ctx)) {
		return errNotAuthorized
	}

	return nil
}

// gatekeepers write each request down, then let it in or not.
func (n *node) gatekeepers(requests *journal) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.UnaryInterceptor(func(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			requests.record(ctx, n, info.FullMethod, request)

			if err := authorize(ctx, info.FullMethod); err != nil {
				return nil, err
			}

			return next(ctx, request)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if err := authorize(stream.Context(), info.FullMethod); err != nil {
				requests.record(stream.Context(), n, info.FullMethod, nil)

				return err
			}

			return next(srv, &noted{ServerStream: stream, note: func(request any) { requests.record(stream.Context(), n, info.FullMethod, request) }})
		}),
	}
}

// noted is a stream whose first received message is written down.
type noted struct {
	grpc.ServerStream

	note func(any)
}

func (s *noted) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil && s.note != nil {
		s.note(m)
		s.note = nil
	}

	return err
}
