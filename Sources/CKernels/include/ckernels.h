// The microkernels of the engine: see Sources/CKernels/README.md.
#pragma once
