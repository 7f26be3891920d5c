# Every process of the cluster is in a cgroup tree of the cluster's own, so that ending the cluster
# finds all of them, after a crash too, and no other process. Knows both cgroup versions.

cgroup_roots() {
  if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
    echo /sys/fs/cgroup
  else
    for root in /sys/fs/cgroup/*/; do
      [ -e "$root/cgroup.procs" ] && echo "${root%/}"
    done
  fi
}

cgroup_make() { # NAME
  local root file
  for root in $(cgroup_roots); do
    mkdir -p "$root/$1/system"
    if [ -e "$root/$1/cpuset.cpus" ]; then # version 1: a new group has no processors
      for file in cpuset.cpus cpuset.mems; do
        cat "$root/$file" >"$root/$1/$file"
        cat "$root/$file" >"$root/$1/system/$file"
      done
    fi
    if [ -e "$root/$1/cgroup.subtree_control" ]; then
      echo "+cpu +memory +pids +cpuset +io" >"$root/$1/cgroup.subtree_control" 2>/dev/null || true
    fi
  done
}

# Moves the calling shell and what it will start. One hierarchy is enough to find them again.
cgroup_enter() { # NAME
  local root pids=/sys/fs/cgroup/pids
  [ -d "$pids" ] || pids=/sys/fs/cgroup
  echo "$BASHPID" >"$pids/$1/system/cgroup.procs"
}

# Kills what is in the tree, as a power cut would, and removes it.
cgroup_end() { # NAME
  local root group pid found
  for _ in $(seq 1 50); do
    found=
    for root in $(cgroup_roots); do
      [ -d "$root/$1" ] || continue
      for pid in $(find "$root/$1" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u); do
        kill -KILL "$pid" 2>/dev/null && found=yes
      done
    done
    [ -n "$found" ] || break
    sleep 0.1
  done
  for root in $(cgroup_roots); do
    [ -d "$root/$1" ] || continue
    find "$root/$1" -depth -type d -exec rmdir {} \; 2>/dev/null
  done
  return 0
}
