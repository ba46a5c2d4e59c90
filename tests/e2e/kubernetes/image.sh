#!/usr/bin/env bash
# The image of this tree for the pods of a test node, without Docker and without torch.
#
#   image.sh NODE_DIR [NAME:TAG ...]     make and import it, under these names (sedna-il:test)
#
# It behaves as the Dockerfile's image does: user 10001, entrypoint 'tini -- sedna', all in /opt/sedna, first on PATH. Three layers:
# Debian (debootstrap, kept between runs), the dependencies (kept until pyproject.toml names others), the code, which is made
# anew each time. Needs root, debootstrap, and the tools of SEDNA_KUBE_DIR (../shared/kube): NODE_DIR is what its 'node up DIR' made,
# DIR/node. Its python must be Debian's minor version, because the wheels are installed from outside; BASE_SUITE says which Debian.
set -euo pipefail
export PAGE_BUILD=skip  # the pods take the page that is built, or have none
here=$(cd "$(dirname "$0")" && pwd); tree=$(cd "$here/../../.." && pwd)
kube=${SEDNA_KUBE_DIR:-$tree/../shared/kube}
python=${PYTHON:-$tree/.venv/bin/python}
suite=${BASE_SUITE:-bookworm}; minor=3.11
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sedna-test-image; mkdir -p "$cache"
say() { printf 'image: %s\n' "$*" >&2; }

node=$(realpath "${1:?the folder of the node: DIR/node of 'node up DIR'}"); shift
names=("${@:-sedna-il:test}")
[ -S "$node/containerd.sock" ] || { say "no containerd in $node; start it with $kube/node up DIR"; exit 2; }
[ "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" = "$minor" ] || { say "$python is not Python $minor, which $suite has"; exit 2; }

# Two runs for one node would write one file of the image tool.
exec 9>"$node/images.lock"; flock 9

# The store's layers have no times, so that a .pyc which trusts its source's time would be thrown away at each start.
compile() { local root=$1; shift; "$python" -m compileall -q -f -j 0 --invalidation-mode unchecked-hash -s "$root" -p / "$@" >&2; }
# Whole or not at all: a folder has its name only when it is finished.
finished() { rm -rf "$2"; mv "$1" "$2"; }
install() {  # root, what...: as 'pip install' in /opt/sedna of that root would; the scripts get the interpreter that is there
  local root=$1; shift
  nice "$python" -m pip install --quiet --root "$root" --prefix /opt/sedna --ignore-installed --no-compile --no-warn-script-location "$@" >&2
  find "$root/opt/sedna/bin" -type f -exec sed -i '1s|^#!.*python.*|#!/opt/sedna/bin/python3|' {} +
}

os=$cache/os-$suite-tini
if [ ! -d "$os" ]; then
  say "Debian $suite"
  work=$(mktemp -d "$cache/os.XXXXXX")
  debootstrap --variant=minbase --include=python3,ca-certificates,tini "$suite" "$work" ${DEBIAN_MIRROR:-} >"$cache/debootstrap.log" 2>&1 \
    || { tail -5 "$cache/debootstrap.log" >&2; exit 1; }
  rm -rf "$work"/var/cache/apt/* "$work"/var/lib/apt/lists/* "$work"/usr/share/{doc,man,info,locale}/*
  compile "$work" "$work/usr/lib/python$minor"
  echo 'sedna:x:10001:10001::/var/lib/sedna:/usr/sbin/nologin' >>"$work/etc/passwd"
  echo 'sedna:x:10001:' >>"$work/etc/group"
  mkdir "$work/var/lib/sedna"; chown 10001:10001 "$work/var/lib/sedna"; chmod 0750 "$work/var/lib/sedna"
  chmod 0755 "$work"; finished "$work" "$os"
fi

# What pip reads of pyproject.toml, and nothing of tools that it also configures.
key=$("$python" - "$tree/pyproject.toml" <<'P'
import hashlib, sys, tomllib
project = tomllib.load(open(sys.argv[1], "rb"))["project"]
print(hashlib.sha256(repr([project["dependencies"], project["optional-dependencies"]]).encode()).hexdigest()[:12])
P
); deps=$cache/deps-$key
if [ ! -d "$deps" ]; then
  say "dependencies ($key)"
  work=$(mktemp -d "$cache/deps.XXXXXX"); chmod 0755 "$work"
  install "$work" "$tree[k8s]"
  packages=$work/opt/sedna/lib/python$minor/site-packages
  rm -rf "$packages"/{sedna,ianvs,globalmanager,localcontroller} "$packages"/sedna_il-* "$work"/opt/sedna/bin/{sedna,ianvs}
  ln -s /usr/bin/python3 "$work/opt/sedna/bin/python3"; ln -s python3 "$work/opt/sedna/bin/python"
  printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = %s\n' "$minor" >"$work/opt/sedna/pyvenv.cfg"
  compile "$work" "$packages"
  finished "$work" "$deps"
fi

code=$(mktemp -d "$cache/code.XXXXXX"); trap 'rm -rf "$code"' EXIT
chmod 0755 "$code"; mkdir "$code/root"
say "the code of $(git -C "$tree" log -1 --format=%h 2>/dev/null || echo 'this tree')"
install "$code/root" --no-deps "$tree"
compile "$code/root" "$code/root/opt/sedna"

image() { "$kube/image" "$@" --dir "$node" --user 10001:10001 --workdir /var/lib/sedna --entrypoint '["tini", "--", "sedna"]' \
  --cmd '["up", "--data", "/var/lib/sedna", "--host", "0.0.0.0"]' --env PYTHONUNBUFFERED=1 \
  --env PATH=/opt/sedna/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin >&2; }
full() {  # as container runtimes complete a name
  case ${1%%/*} in "$1") echo "docker.io/library/$1" ;; *.* | *:* | localhost) echo "$1" ;; *) echo "docker.io/$1" ;; esac
}
known() { [ -f "$node/images/docker.io_library_${1/:/_}.json" ]; }
known "sedna-il-os:$suite" || image "sedna-il-os:$suite" "$os"
known "sedna-il-deps:$key" || image "sedna-il-deps:$key" "$deps" --on "sedna-il-os:$suite"
image "${names[0]}" "$code/root" --on "sedna-il-deps:$key"; say "${names[0]}"
for name in "${names[@]:1}"; do
  ctr -a "$node/containerd.sock" -n k8s.io images tag --force "$(full "${names[0]}")" "$(full "$name")" >&2; say "$name"
done
