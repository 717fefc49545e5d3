print("inversion")
