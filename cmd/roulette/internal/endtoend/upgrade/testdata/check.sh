# What a guest's systemd runs: people talk while systemctl reload upgrades the service,
# twice; each message of theirs is checked by roulette bench.
PATH=/usr/bin:/usr/sbin
# Straight to the kernel: an orderly end takes its time, and nothing here needs one.
off() {
	sleep 1 # until the console has all
	exec systemctl poweroff --force --force
}
fail() {
	echo "guest: failed: $*"
	journalctl -u roulette --no-pager -n 40
	cat /tmp/bench
	off
}
main() { systemctl show -P MainPID roulette; }
# A guest on a machine that has much to do may be too slow for an upgrade's ten seconds
# for the new process to start; then nothing has changed, and it is tried again.
reload() {
	for try in 1 2 3 4 5 6; do
		systemctl reload roulette && return
		echo "guest: reload $try has failed: $(journalctl -u roulette --no-pager -o cat | grep 'upgrade failed' | tail -1)"
		[ "$(systemctl is-active roulette)" = active ] && paired || fail "it does not serve on"
	done
	fail "the reload fails"
}
paired() { curl -s http://127.0.0.1:8081/metrics | grep -q '^roulette_pairs 4$'; }

ip link set lo up
[ "$(cat /proc/1/comm)" = systemd ] || fail "process 1 is $(cat /proc/1/comm)"
systemctl start roulette || fail "it does not start"
roulette bench ws://127.0.0.1:8080/ws --mode drain --connections 8 --rate 8 --duration 1h > /tmp/bench 2>&1 &
bench=$!
until paired; do # the guest has one slow processor
	sleep 0.5
	kill -0 $bench || fail "nobody talks"
done
echo "guest: people talk"
for upgrade in first second; do
	old=$(main)
	reload
	new=$(main)
	[ "$new" != "$old" ] || fail "behind the $upgrade reload the main process is still $old"
	while [ -d /proc/"$old" ]; do sleep 0.2; done
	[ "$(systemctl is-active roulette)" = active ] || fail "it is $(systemctl is-active roulette) behind the $upgrade reload"
	[ "$(main)" = "$new" ] || fail "the main process is $(main), and should be $new"
	paired || fail "pairs have come apart in the $upgrade reload"
	echo "guest: the $upgrade reload: main process $old, then $new"
done
# A restart sends everybody away in good order, and bench says how that was.
systemctl restart roulette || fail "it does not restart"
wait $bench || fail "bench ends with $?"
grep -q '8 with 1001 and a clean end, 0 left' /tmp/bench || fail "not all were sent away"
grep -q 'faults  *none' /tmp/bench || fail "not all that was said was heard"
[ "$(systemctl show -P NRestarts roulette)" = 0 ] || fail "systemd has had to start it again"
# And a process that is dead is missed, also one that came by an upgrade.
reload
dead=$(main)
kill -9 "$dead"
until [ "$(systemctl show -P NRestarts roulette)" = 1 ] && systemctl is-active --quiet roulette; do sleep 0.5; done
[ "$(main)" != "$dead" ] || fail "nobody has noticed that $dead is dead"
grep -E 'messages|faults|drained' /tmp/bench
echo "guest: passed"
off
