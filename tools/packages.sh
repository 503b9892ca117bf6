# packages.sh - which Debian packages Weft needs, and how they get onto the machine.  To be sourced.
#
# The build needs build_packages, the tests test_packages besides.  Nothing here asks apt anything
# unless a package is missing: dpkg-query answers in a few milliseconds.

build_packages=(
    bazel-bootstrap bazel-platforms bazel-rules-cc bazel-rules-java bazel-rules-proto bazel-skylib
    gcc libc6-dev
    libcmocka-dev libcurl4-openssl-dev libgrpc-dev libjansson-dev libmbedtls-dev libmicrohttpd-dev
    libprotobuf-c-dev libprotobuf-dev libsqlite3-dev libssl-dev libstemmer-dev
    protobuf-c-compiler protobuf-compiler
)
test_packages=(clang clang-format clang-tidy libclang-rt-dev openssl zlib1g-dev)

# missing_packages NAME...: those of them that are not installed, one a line.
missing_packages() {
    # dpkg-query fails when it does not know one of the names; what it knows it has printed.
    comm -13 \
        <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
            sed -n 's/^installed //p' | sort -u) \
        <(printf '%s\n' "$@" | sort -u)
}

# show_progress LOG: puts what apt says into LOG, and every few seconds shows the line it is at.
show_progress() {
    local line said=$SECONDS
    while read -r line; do
        printf '%s\n' "$line" >>"$1"
        if [[ $line =~ ^(Get:|Unpacking|Setting up|Waiting for) && $((SECONDS - said)) -ge 3 ]]; then
            said=$SECONDS
            echo "weft: $line" >&2
        fi
    done
}

# apt_get LOG ARGUMENT...: as it is for root, by sudo for others; waits for an apt that runs already.
apt_get() {
    local log=$1 sudo=()
    shift
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -y -q \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 "$@" \
        </dev/null 2>&1 | show_progress "$log"
}

# install_packages LOG NAME...: installs those that are missing, says which, and how far it is.
install_packages() {
    local log=$1 missing by_hand
    mapfile -t missing < <(missing_packages "${@:2}")
    [ "${#missing[@]}" -gt 0 ] || return 0
    by_hand="apt-get update; apt-get install --no-install-recommends ${missing[*]}"
    if ! command -v apt-get >/dev/null; then
        echo "weft: not a Debian; please install what these packages hold: ${missing[*]}" >&2
        return 1
    fi
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        echo "weft: packages are missing, you are not root, and there is no sudo" >&2
        echo "  next: as root, $by_hand" >&2
        return 1
    fi
    echo "weft: installing ${missing[*]}" >&2
    mkdir -p "$(dirname "$log")"
    : >"$log"
    # Lists may be absent (a fresh image) or so old that a package has gone from the mirror.  An
    # update may fail for a list that has none of these.
    apt_get "$log" install --no-install-recommends "${missing[@]}" || {
        : >"$log"
        echo "weft: reading the lists of packages anew" >&2
        apt_get "$log" update || true
        apt_get "$log" install --no-install-recommends "${missing[@]}"
    } || {
        grep '^[EW]: ' "$log" >&2 || tail -n 20 "$log" >&2
        echo "weft: they could not be installed; all that apt said is in $log" >&2
        echo "  next: as root, $by_hand" >&2
        return 1
    }
}
