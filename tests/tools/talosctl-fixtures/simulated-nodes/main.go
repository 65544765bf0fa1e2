// simulated-nodes: a few Talos nodes on 127.5.0.0/16, good enough for the real talosctl to talk to.
//
// It knows what a node answers (services, etcd, machine status, volumes), and nothing about who asks:
// no talosctl flag, no `ops`. State lives in memory and is gone when the process ends, so every
// recorded case starts from the same cluster.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	log.SetFlags(0)

	dir := flag.String("dir", "", "folder with secrets.yaml, foreign-secrets.yaml and a machine config per configured node (NAME.yaml)")
	journal := flag.String("journal", "", "file that receives each request as a JSON line (optional)")
	port := flag.Int("port", 50000, "port every node listens on")

	var changes changeList

	flag.Var(&changes, "set", "NODE.PROPERTY=VALUE, changes the cluster before it starts (repeatable)")
	flag.Parse()

	if *dir == "" {
		log.Fatal("simulated-nodes: -dir is needed: a folder with secrets.yaml and the machine configs")
	}

	nodes, err := loadFleet(*dir, *port)
	if err != nil {
		log.Fatalf("simulated-nodes: %v", err)
	}

	for _, c := range changes {
		if err := nodes.change(c); err != nil {
			log.Fatalf("simulated-nodes: -set %s: %v", c, err)
		}
	}

	requests, err := openJournal(*journal)
	if err != nil {
		log.Fatalf("simulated-nodes: %v", err)
	}

	if err := nodes.serve(requests); err != nil {
		log.Fatalf("simulated-nodes: %v", err)
	}

	fmt.Println("ready") // the recorder waits for this line

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
}

type changeList []string

func (l *changeList) String() string     { return fmt.Sprint(*l) }
func (l *changeList) Set(s string) error { *l = append(*l, s); return nil }
