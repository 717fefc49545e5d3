print("inversiond")
