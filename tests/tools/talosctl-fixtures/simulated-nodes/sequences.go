package main

import (
	"fmt"
	"log"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	machinetype "github.com/siderolabs/talos/pkg/machinery/config/machine"
)

// What a client may wait for: the phases and tasks of a node that reboots, resets or shuts down, in
// the order of Talos 1.13.0 (v1alpha1_sequencer.go), then the silence, then perhaps the node again.

type step struct{ phase, task string }

// What the node is once its sequence is over.
type afterwards int

const (
	staysOff afterwards = iota
	bootsConfigured
	bootsToMaintenance
)

type sequence struct {
	name  string
	steps []step
	then  afterwards
}

func stopEverything(kexec bool) []step {
	steps := []step{
		{"stopServices", "stopServicesForUpgrade"}, {"umount", "unmountPodMounts"}, {"unmountBind", "unmountSystemDiskBindMounts"},
		{"unmountSystem", "unmountEphemeralPartition"}, {"volumeFinalize", "teardownLifecycle"},
	}

	if kexec {
		steps = append(steps, step{"kexec", "kexecPrepare"})
	}

	return append(steps, step{"stopEverything", "stopAllServices"})
}

func rebootSequence() sequence {
	steps := append([]step{{"cleanup", "stopAllPods"}, {"dbus", "stopDBus"}}, stopEverything(true)...)

	return sequence{"reboot", append(steps, step{"reboot", "reboot"}), bootsConfigured}
}

func shutdownSequence(force bool) sequence {
	steps := []step{{"storeShutdown", "storeShutdownEmergency"}}
	if !force {
		steps = append(steps, step{"drain", "cordonAndDrainNode"})
	}

	steps = append(steps, step{"cleanup", "stopAllPods"}, step{"dbus", "stopDBus"})

	return sequence{"shutdown", append(append(steps, stopEverything(false)...), step{"shutdown", "shutdown"}), staysOff}
}

func resetSequence(r *machine.ResetRequest, role machinetype.Type) sequence {
	var steps []step

	if r.GetGraceful() {
		steps = append(steps, step{"drain", "cordonAndDrainNode"}, step{"cleanup", "removeAllPods"})
	} else {
		steps = append(steps, step{"cleanup", "stopAllPods"})
	}

	steps = append(steps, step{"dbus", "stopDBus"})

	if r.GetGraceful() && role == machinetype.TypeControlPlane {
		steps = append(steps, step{"leave", "leaveEtcd"})
	}

	steps = append(steps, step{"preReset", "sendResetSignal"})
	steps = append(steps, stopEverything(len(r.GetSystemPartitionsToWipe()) > 0)...)
	steps = append(steps, step{"forceCleanup", "forceCleanup"})

	keepsConfig := r.Mode == machine.ResetRequest_USER_DISKS || len(r.GetSystemPartitionsToWipe()) > 0

	switch {
	case r.Mode == machine.ResetRequest_USER_DISKS:
		steps = append(steps, step{"resetUserDisks", "resetUserDisks"})
	case keepsConfig:
		steps = append(steps, step{"resetSpec", "resetSystemDiskPartitions"})
	default:
		steps = append(steps, step{"reset", "resetSystemDisk"})
	}

	for _, p := range r.GetSystemPartitionsToWipe() {
		if p.Label == "STATE" {
			keepsConfig = false
		}
	}

	switch {
	case !r.GetReboot():
		return sequence{"reset", append(steps, step{"shutdown", "shutdown"}), staysOff}
	case keepsConfig:
		return sequence{"reset", append(steps, step{"reboot", "reboot"}), bootsConfigured}
	default:
		return sequence{"reset", append(steps, step{"reboot", "reboot"}), bootsToMaintenance}
	}
}

// How fast a sequence runs here: long enough that a client sees the events in order, and that its
// connection is gone before the node answers again.
const (
	perStep = 30 * time.Millisecond
	offline = 1500 * time.Millisecond
)

// The one actor of a recording; a real node makes a new UUID each time.
const actorID = "7d4c1f52-2f0e-4a8e-9a53-0c5d6f1e8b11"

// perform plays a sequence in the background and returns its actor id.
func (n *node) perform(s sequence) string {
	go func() {
		time.Sleep(10 * perStep) // the answer to the request leaves first
		n.publish(&machine.SequenceEvent{Sequence: s.name, Action: machine.SequenceEvent_START})

		for _, step := range s.steps {
			time.Sleep(perStep)
			n.publish(&machine.PhaseEvent{Phase: step.phase, Action: machine.PhaseEvent_START})
			n.publish(&machine.TaskEvent{Task: step.task, Action: machine.TaskEvent_START})

			if step.phase == "reboot" || step.phase == "shutdown" {
				break // nobody is left to report the end of it
			}

			n.publish(&machine.TaskEvent{Task: step.task, Action: machine.TaskEvent_STOP})
			n.publish(&machine.PhaseEvent{Phase: step.phase, Action: machine.PhaseEvent_STOP})
		}

		time.Sleep(perStep)
		n.powerCycle(s.then)
	}()

	return actorID
}

// powerCycle takes the node off the network and brings it back as what the sequence left of it.
func (n *node) powerCycle(then afterwards) {
	n.mu.Lock()
	front := n.front
	n.watchers = nil
	n.boots++
	n.mu.Unlock()

	front.Stop()

	if then == staysOff {
		return
	}

	time.Sleep(offline)

	if then == bootsToMaintenance {
		n.kind = maintenance
	}

	if err := n.listen(); err != nil {
		log.Printf("%s does not come back: %v", n.name, err)

		return
	}

	// Some time after its API, the node is ready. Said twice, since the client connects in between.
	for range 4 {
		time.Sleep(offline / 3)
		n.publish(&machine.MachineStatusEvent{
			Stage:  machine.MachineStatusEvent_RUNNING,
			Status: &machine.MachineStatusEvent_MachineStatus{Ready: true},
		})
	}
}

func (n *node) publish(payload proto.Message) {
	b, err := proto.Marshal(payload)
	if err != nil {
		log.Printf("event: %v", err)

		return
	}

	ev := &machine.Event{
		Id:      fmt.Sprint(time.Now().UnixNano()),
		ActorId: actorID,
		Data:    &anypb.Any{TypeUrl: "talos/runtime/" + string(payload.ProtoReflect().Descriptor().FullName()), Value: b},
	}

	n.mu.Lock()
	defer n.mu.Unlock()

	for _, w := range n.watchers {
		select {
		case w <- ev:
		default: // a watcher that does not read loses events, as with the real ring buffer
		}
	}
}

func (s *services) Events(_ *machine.EventsRequest, stream grpc.ServerStreamingServer[machine.Event]) error {
	w := make(chan *machine.Event, 256)

	s.n.mu.Lock()
	s.n.watchers = append(s.n.watchers, w)
	s.n.mu.Unlock()

	if err := stream.Send(&machine.Event{}); err != nil { // the client waits for it before it acts
		return err
	}

	for {
		select {
		case ev := <-w:
			if err := stream.Send(ev); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}
