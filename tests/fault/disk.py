"""A small disk under a folder of a server: a tmpfs, mounted where the server sees it. Needs root, or sudo without a password."""

import os
import subprocess


class Disk:
    def __init__(self, server_pid, path, mib):
        self.path, self.owner = path, os.stat(f"/proc/{server_pid}").st_uid
        self.namespace = os.open(f"/proc/{server_pid}/ns/mnt", os.O_RDONLY)
        self._mount(f"size={mib}m,uid={self.owner},mode=0700")

    def at_server(self, *command, as_root=False):
        """Runs it among the mounts that the server sees, also when that server is gone."""
        command = [str(word) for word in command]
        if os.fstat(self.namespace).st_ino != os.stat("/proc/self/ns/mnt").st_ino:
            command = ["nsenter", f"--mount=/proc/{os.getpid()}/fd/{self.namespace}", *command]
        if as_root and os.geteuid() != 0:
            command = ["sudo", "-n", *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def _mount(self, options):
        self.at_server("mount", "-t", "tmpfs", "-o", options, "sluice-fault", self.path, as_root=True)

    def resize(self, kib):
        self._mount(f"remount,size={kib}k")

    def used_kib(self):
        return int(self.at_server("df", "--output=used", "-k", self.path, as_root=True).split()[-1])

    def fill(self, left_kib=256):
        """As if it were as large as what is on it, but for so much."""
        self.resize(self.used_kib() + left_kib)

    def remove(self):
        self.at_server("umount", "--lazy", self.path, as_root=True)
        os.close(self.namespace)
