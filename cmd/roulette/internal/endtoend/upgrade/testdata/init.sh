#!/bin/sh
# The first process of a guest whose root is the host's, to be read only: makes a root
# of its own in memory, with the programs of the host, and systemd as the next first
# process. What is to be installed lies beside this script.
PATH=/usr/bin:/usr/sbin
here=$(dirname "$0")
mount -n -t tmpfs root /mnt || exit
cd /mnt || exit
mkdir -p usr/bin etc/systemd/system/roulette.service.d var/lib var/log run tmp proc sys dev root host
for d in lib lib64 sbin share; do
	mkdir usr/$d
	mount -n --bind /usr/$d usr/$d
done
for l in bin sbin lib lib64; do ln -s usr/$l $l; done
for p in /usr/bin/*; do ln -s "/host$p" usr/bin/; done
for f in passwd group nsswitch.conf ld.so.cache; do cp /etc/$f etc/; done
echo 0123456789abcdef0123456789abcdef > etc/machine-id
rm -f usr/bin/roulette
cp "$here/roulette" usr/bin/roulette
cp "$here/check.sh" root/
cp "$here/roulette.service" etc/systemd/system/
cp "$here/upgrade.conf" etc/systemd/system/roulette.service.d/
: > etc/roulette.toml
cat > etc/systemd/system/check.service <<-U
	[Service]
	Type=oneshot
	ExecStart=/bin/sh /root/check.sh
	StandardOutput=tty
	StandardError=tty
	TTYPath=/dev/console
	SuccessAction=poweroff-force
	FailureAction=poweroff-force
U
cat > etc/systemd/system/check.target <<-U
	[Unit]
	Requires=basic.target check.service
U
mount -n -t devtmpfs dev dev
pivot_root . host
exec chroot . /lib/systemd/systemd --unit=check.target --show-status=0 --log-target=null
