# shellcheck shell=bash disable=SC2034
# The cases. `on NODE` is an authenticated command to one node; what follows is what an operator types.

readonly cp1=127.5.0.11 cp2=127.5.0.12 cp3=127.5.0.13 fresh=127.5.0.14 w1=127.5.0.21 w2=127.5.0.22
readonly bare=127.5.0.31 foreign=127.5.0.41 misnamed=127.5.0.42 older=127.5.0.43 silent=127.5.0.51 stuck=127.5.0.52 absent=127.5.0.99

on() { # CASE NODE ARG…: as `ops` calls it, node and endpoint explicit
  record "$1" --talosconfig talosconfig --nodes "$2" --endpoints "$2" "${@:3}"
}
insecure() { # CASE NODE VERB ARG…
  record "$1" "${@:3:1}" --insecure --nodes "$2" "${@:4}"
}
insecure_below() { # CASE NODE VERB SUBVERB ARG…
  record "$1" "${@:3:2}" --insecure --nodes "$2" "${@:5}"
}

# --- version -----------------------------------------------------------------------------------------
fresh_work
cluster
on version $cp1 version
on version-worker $w1 version
on version-short $cp1 version --short
on version-json $cp1 version --json
on version-several-nodes $cp1,$cp2,$w1 version
on version-one-of-three-down $cp1,$absent,$w1 version
record version-client version --client
record version-client-short version --client --short
insecure version-insecure $bare version
insecure version-insecure-short $bare version --short
# A configured node wants a client certificate. Under TLS 1.3 the client may hear so, or only that the line is dead.
until='certificate required' insecure version-insecure-on-configured $cp1 version
until='broken pipe|connection reset' insecure version-insecure-on-configured-line-dead $cp1 version
insecure version-insecure-refused-connection $absent version
on version-refused-connection $absent version
on version-maintenance-node $bare version
on version-other-ca $foreign version
limit=45 on version-silent $silent version
limit=20 on version-never-answered $stuck version
record version-no-nodes --talosconfig talosconfig --endpoints $cp1 version
record version-no-talosconfig --nodes $cp1 --endpoints $cp1 version
on version-wrong-name $misnamed version
record version-missing-talosconfig --talosconfig no-talosconfig --nodes $cp1 --endpoints $cp1 version
record version-unknown-context --talosconfig talosconfig --context nope --nodes $cp1 version
on version-node-with-port $cp1:50000 version

# --- get ---------------------------------------------------------------------------------------------
for type in machinestatus machinetype systeminformation hostnamestatus disks systemdisk volumestatus discoveredvolumes links addresses \
  nodeaddress members nodename machineconfig extensions routes versions etcdmember nodestatus identities infos timestatus; do
  on get-$type-json $cp1 get $type -o json
done
for type in machinestatus machinetype disks volumestatus members links addresses nodename machineconfig systemdisk rd; do
  on get-$type-table $cp1 get $type
done
on get-machinestatus-yaml $cp1 get machinestatus -o yaml
on get-machinestatus-jsonpath $cp1 get machinestatus -o 'jsonpath={.spec.stage}'
on get-machinestatus-by-id-json $cp1 get machinestatus machine -o json
on get-machinestatus-booting-json $fresh get machinestatus -o json
on get-machinestatus-worker-json $w1 get machinestatus -o json
on get-machinestatus-several-nodes-json $cp1,$cp2,$w1 get machinestatus -o json
on get-machinestatus-one-of-three-down-json $cp1,$absent,$w1 get machinestatus -o json
on get-machineconfig-active-json $w1 get machineconfig v1alpha1 -o json
on get-machineconfig-persistent-yaml $w1 get machineconfig persistent -o yaml
on get-volumestatus-state-json $cp1 get volumestatus STATE -o json
on get-members-worker-json $w1 get members -o json
on get-systemdisk-worker-json $w1 get systemdisk -o json
on get-disk-by-id-json $cp1 get disk nvme0n1 -o json
on get-unknown-type $cp1 get nosuchthing -o json
on get-ambiguous-type $cp1 get machine -o json
on get-missing-id $cp1 get machinestatus nosuchid -o json
on get-missing-id-table $cp1 get machinestatus nosuchid
on get-empty-list-json $cp1 get kubespanpeerstatuses -o json
on get-empty-list-table $cp1 get kubespanpeerstatuses
on get-unknown-namespace $cp1 get machinestatus --namespace nowhere -o json
on get-bad-output $cp1 get machinestatus -o xml
on get-refused-connection $absent get machinestatus -o json
on get-maintenance-node $bare get machinestatus -o json
limit=10 on get-machinestatus-never-answered $stuck get machinestatus -o json
for type in machinestatus systeminformation hostnamestatus disks discoveredvolumes volumestatus links addresses machineconfig machinetype systemdisk members nodename; do
  insecure get-$type-insecure-json $bare get $type -o json
done
insecure get-machinestatus-insecure-table $bare get machinestatus
insecure get-disks-insecure-table $bare get disks
until='certificate required' insecure get-machinestatus-insecure-on-configured $cp1 get machinestatus -o json
insecure get-machinestatus-insecure-refused-connection $absent get machinestatus -o json
insecure get-osroot-insecure-json $bare get osrootsecret -o json

# --- etcd --------------------------------------------------------------------------------------------
on etcd-members $cp1 etcd members
on etcd-members-several-nodes $cp1,$cp2 etcd members
on etcd-members-worker $w1 etcd members
on etcd-members-mixed-nodes $cp1,$w1 etcd members
on etcd-members-maintenance-node $bare etcd members
on etcd-status $cp1 etcd status
on etcd-status-several-nodes $cp1,$cp2,$cp3 etcd status
on etcd-status-one-of-three-down $cp1,$absent,$cp3 etcd status
on etcd-status-worker $w1 etcd status
on etcd-status-not-bootstrapped $fresh etcd status
on etcd-alarm-list-none $cp1 etcd alarm list
on etcd-alarm-list-worker $w1 etcd alarm list
on etcd-remove-member-unknown $cp1 etcd remove-member 00000000deadbeef
on etcd-remove-member-by-name $cp1 etcd remove-member cp-2
on etcd-snapshot $cp1 etcd snapshot snapshot.db
on etcd-snapshot-exists $cp1 etcd snapshot snapshot.db
on etcd-snapshot-no-folder $cp1 etcd snapshot missing/snapshot.db
on etcd-snapshot-worker $w1 etcd snapshot worker.db
on etcd-snapshot-several-nodes $cp1,$cp2 etcd snapshot several.db
on etcd-snapshot-not-bootstrapped $fresh etcd snapshot fresh.db
cluster -set cp-1.etcd-alarm=true -set cp-3.etcd-learner=true
on etcd-members-learner $cp1 etcd members
on etcd-status-alarm $cp1 etcd status
on etcd-status-learner $cp3 etcd status
on etcd-alarm-list $cp1 etcd alarm list
on etcd-alarm-list-several-nodes $cp1,$cp2 etcd alarm list
cluster -set cp-2.etcd-down=true
on etcd-members-one-down $cp1 etcd members
on etcd-status-down $cp2 etcd status
on etcd-status-one-etcd-down $cp1,$cp2,$cp3 etcd status
on get-machinestatus-etcd-down-json $cp2 get machinestatus -o json
on service-etcd-down $cp2 service etcd
cluster -set cp-2.etcd-down=true -set cp-3.etcd-down=true
on etcd-members-no-quorum $cp1 etcd members

# --- apply-config ------------------------------------------------------------------------------------
changed() { # FILE PATCH: the machine config with a change
  "$talosctl" machineconfig patch "$work/$1.yaml" -p "$2" -o "$work/$1-changed.yaml"
}
cluster
changed w-1 '{"machine":{"sysctls":{"vm.max_map_count":"262144"}}}'
cp "$work/w-1-changed.yaml" "$work/live.yaml"
changed w-1 '{"machine":{"type":"worker","env":{"GRPC_GO_LOG_SEVERITY_LEVEL":"error"}}}'
cp "$work/w-1-changed.yaml" "$work/needs-reboot.yaml"
printf 'version: v1alpha1\nmachine:\n  type: worker\n  tokn: typo\n' >"$work/unknown-key.yaml"
printf 'version: v1alpha1\nmachine:\n  type: [worker\n' >"$work/broken.yaml"
printf 'version: v1alpha1\nmachine:\n  type: worker\n' >"$work/incomplete.yaml"
printf 'apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: w-1\n' >"$work/fragment.yaml"
: >"$work/empty.yaml"
apply() { on "apply-config-$1" "$2" apply-config "${@:3}"; }
apply dry-run $w1 --dry-run --file live.yaml
apply dry-run-no-changes $w1 --dry-run --file w-1.yaml
apply dry-run-needs-reboot $w1 --dry-run --file needs-reboot.yaml
apply dry-run-staged $w1 --dry-run --mode staged --file live.yaml
apply dry-run-no-reboot-refused $w1 --dry-run --mode no-reboot --file needs-reboot.yaml
apply dry-run-with-patch $w1 --dry-run --file w-1.yaml --config-patch '{"machine":{"sysctls":{"vm.swappiness":"10"}}}'
apply no-changes $w1 --file w-1.yaml
apply no-reboot-refused $w1 --mode no-reboot --file needs-reboot.yaml
apply try-refused $w1 --mode try --file needs-reboot.yaml
apply unknown-key $w1 --file unknown-key.yaml
apply broken-yaml $w1 --file broken.yaml
apply incomplete $w1 --file incomplete.yaml
apply fragment $w1 --file fragment.yaml
apply empty-file $w1 --file empty.yaml
apply missing-file $w1 --file missing.yaml
apply no-file $w1
apply bad-mode $w1 --mode never --file live.yaml
apply wrong-role $cp1 --dry-run --file w-1.yaml
apply maintenance-node $bare --file w-1.yaml
apply refused-connection $absent --file w-1.yaml
apply other-ca $foreign --file w-1.yaml
limit=10 apply never-answered $stuck --timeout 2s --file w-1.yaml
until='certificate required' insecure apply-config-insecure-on-configured $cp1 apply-config --file cp-1.yaml
insecure apply-config-insecure-dry-run $bare apply-config --dry-run --file w-1.yaml
insecure apply-config-insecure-incomplete $bare apply-config --file incomplete.yaml
insecure apply-config-insecure-wrong-fingerprint $bare apply-config --cert-fingerprint AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= --file w-1.yaml
insecure apply-config-insecure-refused-connection $absent apply-config --file w-1.yaml
insecure apply-config-insecure $bare apply-config --file w-1.yaml
cluster; apply auto $w1 --file live.yaml
apply auto-again $w1 --file live.yaml
cluster; apply auto-needs-reboot $w1 --file needs-reboot.yaml
cluster; apply no-reboot $w1 --mode no-reboot --file live.yaml
cluster; apply reboot $w1 --mode reboot --file live.yaml
cluster; apply staged $w1 --mode staged --file needs-reboot.yaml
cluster; apply try $w1 --mode try --file live.yaml
cluster; apply try-timeout $w1 --mode try --timeout 10m --file live.yaml
cluster; apply several-nodes $w1,$w2 --file live.yaml
cluster; apply one-of-two-down $w1,$absent --file live.yaml

# --- bootstrap ---------------------------------------------------------------------------------------
cluster
on bootstrap $fresh bootstrap
on bootstrap-again $fresh bootstrap
on bootstrap-not-empty $cp1 bootstrap
on bootstrap-worker $w1 bootstrap
on bootstrap-several-nodes $cp1,$cp2 bootstrap
on bootstrap-maintenance-node $bare bootstrap
on bootstrap-refused-connection $absent bootstrap
on bootstrap-recover-missing-file $fresh bootstrap --recover-from missing.db

# --- reset, reboot, shutdown -------------------------------------------------------------------------
cluster; on reset-labels-no-wait $w1 reset --system-labels-to-wipe STATE,EPHEMERAL --graceful=true --reboot --wait=false
cluster; on reset-labels-wait $w1 reset --system-labels-to-wipe EPHEMERAL --graceful=true --timeout 1m
cluster; on reset-labels-reboot-wait-state $w1 reset --system-labels-to-wipe STATE,EPHEMERAL --graceful=true --reboot --timeout 1m
cluster; on reset-labels-reboot-wait-ephemeral $w1 reset --system-labels-to-wipe EPHEMERAL --graceful=true --reboot --timeout 1m
cluster; on reset-control-plane-wait $cp3 reset --system-labels-to-wipe STATE,EPHEMERAL --graceful=true --reboot --timeout 1m
cluster; on reset-not-graceful-wait $w1 reset --system-labels-to-wipe EPHEMERAL --graceful=false --timeout 1m
cluster; on reset-whole-disk-no-wait $w1 reset --wait=false
cluster; on reset-empty-labels $w1 reset --system-labels-to-wipe '' --wait=false
cluster; on reset-several-nodes-wait $w1,$w2 reset --system-labels-to-wipe EPHEMERAL --timeout 1m
cluster
on reset-unknown-label-no-wait $w1 reset --system-labels-to-wipe NOSUCH --wait=false
on reset-unknown-label-wait $w1 reset --system-labels-to-wipe NOSUCH --timeout 1m
on reset-label-not-located $w1 reset --system-labels-to-wipe /var/log --wait=false
on reset-bad-wipe-mode $w1 reset --wipe-mode USER-DISKS --wait=false
on reset-labels-with-user-disks-mode $w1 reset --system-labels-to-wipe EPHEMERAL --wipe-mode user-disks --wait=false
on reset-user-disk-unknown $w1 reset --user-disks-to-wipe /dev/sdz --wipe-mode user-disks --wait=false
on reset-user-disk-system $w1 reset --user-disks-to-wipe /dev/nvme0n1 --wipe-mode user-disks --wait=false
on reset-graceful-word $w1 reset --graceful false --wait=false
on reset-graceful-no $w1 reset --graceful=no --wait=false
on reset-unknown-flag $w1 reset --no-graceful
on reset-refused-connection-no-wait $absent reset --system-labels-to-wipe EPHEMERAL --wait=false
on reset-refused-connection-wait $absent reset --system-labels-to-wipe EPHEMERAL --timeout 3s
on reset-maintenance-node $bare reset --system-labels-to-wipe EPHEMERAL --wait=false
on reset-other-ca $foreign reset --system-labels-to-wipe EPHEMERAL --wait=false
on reset-never-answered $stuck reset --system-labels-to-wipe EPHEMERAL --timeout 3s
record reset-no-nodes --talosconfig talosconfig --endpoints $w1 reset --system-labels-to-wipe EPHEMERAL --wait=false
insecure reset-insecure $bare reset --system-labels-to-wipe EPHEMERAL --wait=false
insecure reset-insecure-wait $bare reset --system-labels-to-wipe EPHEMERAL
until='certificate required' insecure reset-insecure-on-configured $w1 reset --system-labels-to-wipe EPHEMERAL --wait=false
on reboot-refused-connection $absent reboot --timeout 3s
on reboot-never-answered $stuck reboot --timeout 3s
on reboot-bad-mode $w1 reboot --mode slowly
on reboot-worker-no-drain-kubeconfig $w1 reboot --drain --timeout 5s
# Where no node is named, it is every node of the talosconfig's context.
sed "s/^context: home/&/; s/^ *endpoints:/        nodes: [$w1, $w2]\n&/" "$work/talosconfig" >"$work/with-nodes"
cluster; record reset-nodes-of-context --talosconfig with-nodes --endpoints $w1 reset --system-labels-to-wipe EPHEMERAL --wait=false
cluster; record reset-short-flags --talosconfig with-nodes -n=$w1 -e$w1 reset --system-labels-to-wipe=EPHEMERAL --graceful=F --wait=0
cluster; record apply-config-nodes-of-context --talosconfig with-nodes --endpoints $w1 apply --file w-1.yaml
cluster; record get-nodes-of-context --talosconfig with-nodes --endpoints $w1 get machinestatus
cluster; on reboot-no-wait $w1 reboot --wait=false
cluster; on reboot-wait $w1 reboot --wait --timeout 1m
cluster; on reboot-powercycle $w1 reboot --mode powercycle --wait=false
cluster; on reboot-several-nodes-wait $w1,$w2 reboot --timeout 1m
cluster; on shutdown-no-wait $w1 shutdown --wait=false
cluster; on shutdown-force-no-wait $w1 shutdown --force --wait=false
cluster; on shutdown-wait $w1 shutdown --timeout 1m

# --- kubeconfig --------------------------------------------------------------------------------------
cluster
keep=kubeconfig on kubeconfig $cp1 kubeconfig kubeconfig --merge=false --force --force-context-name home
on kubeconfig-exists $cp1 kubeconfig kubeconfig --merge=false
keep=kubeconfig on kubeconfig-merge $cp1 kubeconfig kubeconfig --merge=true --force --force-context-name home
on kubeconfig-stdout $cp1 kubeconfig - --merge=false
on kubeconfig-worker $w1 kubeconfig from-worker --merge=false --force
on kubeconfig-several-nodes $cp1,$cp2 kubeconfig several --merge=false --force
on kubeconfig-maintenance-node $bare kubeconfig bare --merge=false --force
on kubeconfig-refused-connection $absent kubeconfig down --merge=false --force

# --- health ------------------------------------------------------------------------------------------
on health $cp1 health
on health-named-nodes $cp1 health --control-plane-nodes $cp1,$cp2,$cp3 --worker-nodes $w1,$w2 --wait-timeout 10s
on health-worker $w1 health --wait-timeout 5s
on health-several-nodes $cp1,$cp2 health
on health-refused-connection $absent health --wait-timeout 3s
cluster -set cluster.sick=true
on health-failing $cp1 health --wait-timeout 2s

# --- services, files ---------------------------------------------------------------------------------
cluster
on service $cp1 service
on service-worker $w1 service
on service-several-nodes $cp1,$w1 service
on service-etcd $cp1 service etcd
on service-kubelet $w1 service kubelet
on service-unknown $cp1 service nosuch
on service-etcd-on-worker $w1 service etcd
on service-not-bootstrapped $fresh service etcd
on service-kubelet-restart $w1 service kubelet restart
on service-etcd-restart $cp1 service etcd restart
on read-boot-id $w1 read /proc/sys/kernel/random/boot_id
on read-missing $w1 read /no/such/file
on read-folder $w1 read /proc
on read-several-nodes $w1,$w2 read /proc/sys/kernel/random/boot_id
insecure read-insecure $bare read /proc/sys/kernel/random/boot_id

# --- other reads -------------------------------------------------------------------------------------
on list $w1 list /var/log
on list-long $w1 list --long /var/log
on list-missing $w1 list /no/such
on usage $w1 usage /var/log /var/lib
on usage-human $w1 usage --humanize /var/log
on memory $w1 memory
on memory-several-nodes $w1,$w2 memory
on mounts $w1 mounts
on containers $w1 containers
on containers-kubernetes $w1 containers --kubernetes
on processes $w1 processes
on time $w1 time
on logs $w1 logs kubelet
on logs-tail $w1 logs kubelet --tail 2
on logs-unknown $w1 logs nosuch
on logs-several-nodes $w1,$w2 logs kubelet
on dmesg $w1 dmesg
on image-list $w1 image list
on netstat-not-served $w1 netstat
on get-machinestatus-older-node $older get machinestatus -o json
on version-older-node $older version

# --- rarer changes, for guards and the lab -----------------------------------------------------------
on etcd-remove-member $cp1 etcd remove-member 6f0ad9c05b7e4412
on etcd-remove-member-several-nodes $cp1,$cp2 etcd remove-member c1d27f3388ab9050
on etcd-leave $cp3 etcd leave
on etcd-leave-worker $w1 etcd leave
on etcd-leave-several-nodes $cp2,$cp3 etcd leave
on etcd-forfeit-leadership $cp1 etcd forfeit-leadership
on etcd-forfeit-leadership-not-leader $cp2 etcd forfeit-leadership
on etcd-defrag $cp1 etcd defrag
on etcd-defrag-worker $w1 etcd defrag
on service-kubelet-stop $w1 service kubelet stop
on service-bad-action $w1 service kubelet pause
on meta-write $w1 meta write 0x0a '{"a":1}'
on meta-write-key-too-big $w1 meta write 0x1ff x
on meta-delete-missing $w1 meta delete 0x0a
insecure_below meta-write-insecure $bare meta write 0x0a x
on wipe-disk $w1 wipe disk sda
on wipe-disk-in-use $w1 wipe disk nvme0n1
on wipe-disk-partition-in-use $w1 wipe disk nvme0n1p6
on wipe-disk-unused-partition $w1 wipe disk nvme0n1p3
on wipe-disk-skip-volume-check $w1 wipe disk nvme0n1p6 --skip-volume-check
on wipe-disk-unknown $w1 wipe disk sdz
on wipe-disk-with-dev $w1 wipe disk /dev/sda
on wipe-disk-bad-method $w1 wipe disk sda --method slow
on wipe-disk-several-nodes $w1,$w2 wipe disk sda
insecure_below wipe-disk-insecure $bare wipe disk sda
patch='{"machine":{"sysctls":{"vm.swappiness":"10"}}}'
on patch-dry-run $w1 patch machineconfig --patch "$patch" --dry-run
on patch-no-patch $w1 patch machineconfig
on patch-unknown-key $w1 patch machineconfig --patch '{"machine":{"nosuchkey":1}}' --dry-run
on patch-json6902 $w1 patch machineconfig --patch '[{"op":"add","path":"/machine/sysctls","value":{}}]' --dry-run
on patch-other-resource $w1 patch machinestatus --patch "$patch"
on upgrade-no-image-service $w1 upgrade --image ghcr.io/siderolabs/installer:v1.13.0 --drain=false --wait=false
on upgrade-drain-implies-wait-insecure $w1 upgrade --insecure --image ghcr.io/siderolabs/installer:v1.13.0
on upgrade-bad-reboot-mode $w1 upgrade --reboot-mode slowly
cluster -set cp-1.etcd-alarm=true
on etcd-alarm-disarm $cp1 etcd alarm disarm
cluster; on patch $w1 patch machineconfig --patch "$patch"
cluster; on patch-staged $w1 patch machineconfig --patch "$patch" --mode staged
cluster; on patch-several-nodes $w1,$w2 patch machineconfig --patch "$patch"
cluster; on rollback $w1 rollback
cluster; on upgrade-legacy-no-wait $w1 upgrade --legacy --image ghcr.io/siderolabs/installer:v1.13.0 --drain=false --wait=false
cluster; on upgrade-legacy-wait $w1 upgrade --legacy --image ghcr.io/siderolabs/installer:v1.13.0 --drain=false --timeout 1m
cluster; on upgrade-older-node $older upgrade --image ghcr.io/siderolabs/installer:v1.13.0 --drain=false --timeout 1m
cluster

# --- roles -------------------------------------------------------------------------------------------
keep=reader on config-new $cp1 config new reader --roles os:reader --crt-ttl 87600h
on config-new-from-worker $w1 config new nothing --roles os:reader
on config-new-short-lived $cp1 config new expired --roles os:admin --crt-ttl 1s
sleep 2
until='expired' record version-expired-certificate --talosconfig expired --nodes $cp1 --endpoints $cp1 version
reader() { record "$1" --talosconfig reader --nodes "$2" --endpoints "$2" "${@:3}"; }
reader reader-version $cp1 version
reader reader-get-machinestatus-json $cp1 get machinestatus -o json
reader reader-get-machineconfig-json $cp1 get machineconfig -o json
reader reader-etcd-members $cp1 etcd members
reader reader-etcd-snapshot $cp1 etcd snapshot reader.db
reader reader-reset-no-wait $w1 reset --system-labels-to-wipe EPHEMERAL --wait=false
reader reader-reset-wait $w1 reset --system-labels-to-wipe EPHEMERAL --timeout 5s
reader reader-reboot-no-wait $w1 reboot --wait=false
reader reader-apply-config $w1 apply-config --dry-run --file w-1.yaml
reader reader-bootstrap $fresh bootstrap
reader reader-kubeconfig $cp1 kubeconfig reader-kubeconfig --merge=false --force
reader reader-read-boot-id $w1 read /proc/sys/kernel/random/boot_id
stop_cluster

# --- offline -----------------------------------------------------------------------------------------
fresh_work
cp "$inputs/secrets.yaml" "$work/"
printf 'version: v1alpha1\nmachine:\n  type: worker\n  tokn: typo\n' >"$work/unknown-key.yaml"
printf 'version: v1alpha1\nmachine:\n  type: worker\n' >"$work/incomplete.yaml"
printf 'version: v1alpha1\nmachine:\n  type: [worker\n' >"$work/broken.yaml"
"$talosctl" machineconfig patch "$work/w-1.yaml" -o "$work/deprecated.yaml" -p '{"machine":{"install":{"extensions":[{"image":"ghcr.io/siderolabs/gvisor:20220117.0"}]}}}'
record validate validate --config w-1.yaml --mode metal
record validate-cloud validate --config cp-1.yaml --mode cloud
record validate-container validate --config cp-1.yaml --mode container
record validate-strict validate --config w-1.yaml --mode metal --strict
record validate-deprecated validate --config deprecated.yaml --mode metal
record validate-deprecated-strict validate --config deprecated.yaml --mode metal --strict
record validate-incomplete validate --config incomplete.yaml --mode metal
record validate-unknown-key validate --config unknown-key.yaml --mode metal
record validate-broken-yaml validate --config broken.yaml --mode metal
record validate-missing-file validate --config missing.yaml --mode metal
record validate-no-mode validate --config w-1.yaml
record validate-bad-mode validate --config w-1.yaml --mode bogus
keep=made.yaml record gen-secrets gen secrets --output-file made.yaml
record gen-secrets-exists gen secrets --output-file made.yaml
record gen-secrets-force gen secrets --output-file made.yaml --force
record gen-secrets-no-folder gen secrets --output-file missing/made.yaml
keep='controlplane.yaml worker.yaml talosconfig' record gen-config gen config home https://127.5.0.10:6443 --with-secrets secrets.yaml --force
record gen-config-exists gen config home https://127.5.0.10:6443 --with-secrets secrets.yaml
record gen-config-worker-stdout gen config home https://127.5.0.10:6443 --with-secrets secrets.yaml --output-types worker --output -
record gen-config-several-stdout gen config home https://127.5.0.10:6443 --with-secrets secrets.yaml --output-types worker,controlplane --output -
record gen-config-no-scheme gen config home 127.5.0.10 --with-secrets secrets.yaml --force
record gen-config-http gen config home http://127.5.0.10:6443 --with-secrets secrets.yaml --force
record gen-config-missing-secrets gen config home https://127.5.0.10:6443 --with-secrets missing.yaml --force
record gen-config-bad-type gen config home https://127.5.0.10:6443 --with-secrets secrets.yaml --output-types bogus
cp "$inputs/talosconfig" "$work/talosconfig"
record config-info --talosconfig talosconfig config info
record config-info-json --talosconfig talosconfig config info -o json
record config-info-missing --talosconfig no-talosconfig config info -o json
record config-contexts --talosconfig talosconfig config contexts
record config-context-unknown --talosconfig talosconfig config context nope
record machineconfig-patch machineconfig patch w-1.yaml --patch '{"machine":{"sysctls":{"vm.swappiness":"10"}}}'
record unknown-command nosuchcommand
record unknown-flag version --nosuchflag
record disks-deprecated --talosconfig talosconfig --nodes 127.5.0.11 disks
